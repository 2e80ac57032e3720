"""Where training runs: Lightning Fabric for a device name and a precision, and what the run took there.

With several processes (siil.run.processes) gradients are exchanged by DDP: NCCL between GPUs, gloo between CPUs.
"""

from __future__ import annotations

import ctypes
import datetime
import logging
import resource
import sys
from collections.abc import Sequence
from typing import Any, Final, TypeVar

import torch

from siil.errors import ConfigError
from siil.inference.device import pick_device, usable_precision
from siil.run import processes
from siil.training.fabric import DDPStrategy, Fabric, LightningEnvironment

log = logging.getLogger(__name__)
T = TypeVar("T")
PATIENCE: Final = datetime.timedelta(days=2)
"""How long a process waits for the others: one may label scans while another is done with its share."""
_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
"""Of glibc's mallopt."""


def make_fabric(device: str, *, precision: str) -> Fabric:
    """Fabric for `auto` (the GPU when there is one), `cpu` or `cuda`, launched, in a precision that the device has.

    Raises:
        ConfigError: another device, or a precision that only GPUs have.
    """
    chosen = pick_device(device)
    if chosen == "cpu" and precision == "16-mixed":
        raise ConfigError("train.precision 16-mixed needs a GPU; use bf16-mixed or 32-true on the CPU")
    if chosen == "cpu":
        keep_freed_memory()
    usable = usable_precision(precision, chosen)
    if usable != precision:
        log.info("this processor does not compute in bfloat16: %s instead of %s", usable, precision)
    fabric = Fabric(accelerator=chosen, precision=usable, **_spread())  # type: ignore[arg-type]
    fabric.launch()
    here = processes.launched()
    if (fabric.global_rank, fabric.world_size) != (here.rank, here.world):
        raise ConfigError(
            f"this is process {here.rank} of {here.world} by the environment, but {fabric.global_rank} of "
            f"{fabric.world_size} by Lightning (srun inside an interactive shell?); use sbatch, or torchrun"
        )
    return fabric


def keep_freed_memory() -> None:
    """Let glibc keep what is freed, in pieces of up to 32 MB (its limit). Else tensors go back to the system, which
    hands them out empty again at the next step: a tenth of a step of the demo (docs/log.md)."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):  # not on macOS
        mallopt(_MMAP_THRESHOLD, 32 << 20)
        mallopt(_TRIM_THRESHOLD, 1 << 30)


def _spread() -> dict[str, Any]:
    """Fabric's arguments for the processes that were launched.

    Terms of weight zero leave parameters without a gradient, which DDP must be told. Buffers are not sent around: the
    memory and its prototypes are equal on all ranks because each writes what all have seen (siil.model.ocpl).
    """
    here = processes.launched()
    if here.world == 1:  # named, since Fabric would take a SLURM job for one of several processes
        return {"devices": 1, "plugins": [LightningEnvironment()]}
    strategy = DDPStrategy(find_unused_parameters=True, broadcast_buffers=False, timeout=PATIENCE)
    return {"devices": here.local_world, "num_nodes": here.nodes, "strategy": strategy}


def gather(items: Sequence[T]) -> list[T]:
    """The items of every process, in the order of ranks, to each of several; waits until all have come."""
    parts: list[list[T]] = [[] for _ in range(torch.distributed.get_world_size())]
    torch.distributed.all_gather_object(parts, list(items))
    return [item for part in parts for item in part]


def device_name(fabric: Fabric) -> str:
    """For the run record: the name of the GPU, or cpu and the number of threads."""
    if fabric.device.type == "cuda":
        return torch.cuda.get_device_name(fabric.device)
    return f"{fabric.device.type}, {torch.get_num_threads()} threads"


def peak_memory_mb(fabric: Fabric) -> dict[str, float]:
    """Largest resident memory of this process and, on a GPU, largest memory allocated there, MB."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    peak = {"process": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6, 1)}
    if fabric.device.type == "cuda":
        peak["gpu"] = round(torch.cuda.max_memory_allocated(fabric.device) / 1e6, 1)
    return peak
