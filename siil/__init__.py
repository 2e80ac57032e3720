"""SIIL: labels and segments every vertebra of a CT scan in one pass.

The package holds the thinking of the pipeline; `workflow/` holds its wiring. Its hall holds the doors (cli, trainer,
tester, get_config) and what everyone uses (anatomy: the table of vertebrae; errors). Its rooms, each above those that
it uses:

    stages  training  report  inference  model  losses  metrics  datasets  phantom  scan  config  run

See docs/pipeline.md for the way of a volume through them.
"""

import os

# torch then asks Linux for huge pages: a step takes some 15 % less on CPUs (benchmarks/README.md, step)
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

__version__ = "0.1.0"
