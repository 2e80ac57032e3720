"""What does a command cost, in time and memory? `cost` measures; `apart` runs what must not count."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU and wall time in seconds; peak memory in GB, at least that of the process that asked (see `apart`)."""

    cpu_s: float
    wall_s: float
    peak_gb: float


def apart(function: Callable[..., T], *arguments: object) -> T:
    """The result of a call in a process of its own.

    Linux counts the parent's peak memory as a child's, so whatever takes memory here would show in `cost`.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def cost(command: list[str], *, folder: Path | None = None, **environment: str) -> Cost:
    """Run a command in `folder` (here), without progress bars and with the variables of `environment`; what it prints
    goes to stderr.

    Raises SystemExit when it fails.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, stdout=sys.stderr, env=os.environ | {"TQDM_DISABLE": "1"} | environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)}: exit {os.waitstatus_to_exitcode(status)}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss / 1e6)
