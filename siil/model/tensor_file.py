"""Every weights file of this package: safetensors, with a JSON description in it. Never a pickle.

Equal weights give equal bytes: the metadata is one key (the order of several is not defined) with sorted JSON in it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from siil.errors import WeightsError
from siil.run import files

_PICKLES: Final = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"\x1f\x8b")
"""How files of torch.save, pickle and gzip begin."""


def write(path: Path, network: nn.Module, *, key: str, values: dict[str, Any], half: bool) -> None:
    """Write parameters and buffers of `network` to `path`, atomically, with `values` under `key`.

    half: floating numbers as float16, for half the size; they are float32 again when they are read.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    if half:
        tensors = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
    content = save(tensors, metadata={key: json.dumps(values, sort_keys=True)})
    with files.atomic(Path(path)) as temporary:
        temporary.write_bytes(content)


def read(path: Path, *, key: str, made_by: str) -> tuple[str, dict[str, Tensor]]:
    """The description under `key` as text, and the tensors as float32.

    made_by: what makes such files, for messages ("the weights.safetensors of a training").

    Raises:
        WeightsError: missing, truncated, a pickle, or without that key.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file; expected {made_by}")
    with path.open("rb") as stream:
        head = stream.read(4)
    if any(head.startswith(magic) for magic in _PICKLES):
        raise WeightsError(
            f"{path}: a pickled checkpoint or archive, which can run any code when it is read; expected safetensors"
        )
    try:
        with safe_open(str(path), framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            tensors = {name: value.float() if value.dtype == torch.half else value for name, value in tensors.items()}
    except (SafetensorError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:120]
        raise WeightsError(f"{path}: truncated, damaged or not safetensors ({reason}); copy or make it anew") from None
    if key not in metadata:
        raise WeightsError(f"{path}: safetensors of another program or kind; expected {made_by}")
    return metadata[key], tensors


def put(path: Path, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Put the tensors of `path` into `network`. Raises WeightsError where they are not its own."""
    expected = network.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        wanted, came = (tuple(state[name].shape) if name in state else "absent" for state in (expected, tensors))
        if wanted != came:
            raise WeightsError(f"{path}: wrong architecture: {name} should be {wanted}, is {came}; train it anew")
    network.load_state_dict(tensors, strict=True)
