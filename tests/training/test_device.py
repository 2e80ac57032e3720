"""Memory that a step frees is there for the next one."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

STEPS, BLOCKS, PAGES = 5, 6, 2048  # pages of a block of 8 MB
FAULTS = f"""
import os, resource
os.environ["THP_MEM_ALLOC_ENABLE"] = "0"
import torch
from siil.training.device import make_fabric
make_fabric("cpu", precision="32-true")
def step():
    [torch.ones({PAGES * 1024}) for _ in range({BLOCKS})]
for _ in range({STEPS}):  # the heap grows by a block where what lies between leaves no room for one
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({STEPS}):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="glibc alone keeps or returns memory by these")
def test_in_a_training_on_cpus_what_a_step_frees_serves_the_next_one() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < STEPS * BLOCKS * PAGES / 10  # of each block anew
