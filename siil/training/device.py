"""Where training runs: Lightning Fabric for a device name and a precision, and what the run took there."""

from __future__ import annotations

import logging
import resource
import sys

import torch

from siil.errors import ConfigError
from siil.inference.device import pick_device, usable_precision
from siil.training.fabric import Fabric

log = logging.getLogger(__name__)


def make_fabric(device: str, *, precision: str) -> Fabric:
    """Fabric for `auto` (the GPU when there is one), `cpu` or `cuda`, launched, in a precision that the device has.

    Raises:
        ConfigError: another device, or a precision that only GPUs have.
    """
    chosen = pick_device(device)
    if chosen == "cpu" and precision == "16-mixed":
        raise ConfigError("train.precision 16-mixed needs a GPU; use bf16-mixed or 32-true on the CPU")
    usable = usable_precision(precision, chosen)
    if usable != precision:
        log.info("this processor does not compute in bfloat16: %s instead of %s", usable, precision)
    fabric = Fabric(accelerator=chosen, devices=1, precision=usable)  # type: ignore[arg-type]
    fabric.launch()
    return fabric


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
