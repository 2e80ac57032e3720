"""SIIL: labels and segments every vertebra of a CT scan in one pass.

The package holds the thinking of the pipeline; `workflow/` holds its wiring. See docs/pipeline.md for the way of a
volume through it, and design notes at the top of each module.
"""

import os

# torch then asks Linux for huge pages: a step takes some 15 % less on CPUs (benchmarks/README.md, step)
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

__version__ = "0.1.0"
