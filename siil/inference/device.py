"""Where inference and training run, and in which precision: `auto` is the GPU when there is one."""

from __future__ import annotations

from functools import cache

from siil.errors import ConfigError


def pick_device(name: str) -> str:
    """`cpu` or `cuda` for `auto`, `cpu` or `cuda`. Raises ConfigError for anything else, and for a GPU not there."""
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"--device {name}: expected auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch finds no GPU here; use --device cpu or auto")
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"


def usable_precision(name: str, device: str) -> str:
    """The precision to compute in on `device` (a type, `cpu` or `cuda`): `name` as configured, but for one case.

    A processor without AVX-512 or better has no bfloat16 convolutions: torch falls back to plain loops there that
    take a hundred times as long as float32 (measured: 60 s instead of 0.9 s a step). 32-true stands in for bf16-mixed.
    """
    return "32-true" if name == "bf16-mixed" and device == "cpu" and not _cpu_has_bfloat16() else name


@cache
def _cpu_has_bfloat16() -> bool:
    import torch

    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
