"""The weights file: safetensors with JSON metadata, from which the network is rebuilt. Never a pickle.

Equal weights give equal bytes: the metadata is one key (the order of several is not defined) with sorted JSON in it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from siil.config.schema.model import Model
from siil.errors import ConfigError, WeightsError
from siil.model.build import build_network
from siil.model.network import Network
from siil.run import files

FORMAT: Final = 1
SHIPPED: Final = Path(__file__).parents[1] / "pretrained" / "patients.safetensors"
"""The weights that are used unless others are asked for; docs/model-card.md says what they are and are not."""
_KEY: Final = "siil"
_PICKLES: Final = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"\x1f\x8b")
"""How files of torch.save, pickle and gzip begin."""


@dataclass(frozen=True)
class Weights:
    """What a weights file says about itself, enough to rebuild the network and to feed it.

    model: section of the configuration. patch_vox: Z, Y, X. spacing_mm, window_hu: of the working grid.
    experiment, code, notes: where it comes from; free text.
    """

    model: Model
    patch_vox: tuple[int, int, int]
    spacing_mm: float
    window_hu: tuple[float, float]
    experiment: str = ""
    code: str = ""
    notes: str = ""

    @property
    def activation(self) -> str:
        """softmax or sigmoid, of O_S."""
        return self.model.vertebrae_activation


def save_weights(path: Path, network: Network, *, about: Weights, half: bool = False) -> None:
    """Write parameters and buffers of `network` and `about` to `path` (.safetensors), atomically.

    half: floating numbers as float16, for half the size; they are float32 again when they are loaded.
    """
    values = asdict(about) | {"model": about.model.model_dump(mode="json"), "format": FORMAT}
    tensors = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    if half:
        tensors = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
    content = save(tensors, metadata={_KEY: json.dumps(values, sort_keys=True)})
    with files.atomic(Path(path)) as temporary:
        temporary.write_bytes(content)


def load_network(path: Path) -> tuple[Network, Weights]:
    """The network in eval mode, on the CPU, and what its file says about it.

    Raises:
        WeightsError: missing, truncated, a pickle, not of this package, or not fitting its own description.
    """
    path = Path(path)
    about, tensors = _read(path)
    try:
        with torch.random.fork_rng(devices=[]):  # random weights are overwritten; the caller's generator stays
            network = build_network(model=about.model, patch_vox=about.patch_vox, spacing_mm=about.spacing_mm)
    except ConfigError as error:
        raise WeightsError(f"{path}: its description makes no network ({error}); train it anew") from None
    _check(path, network.state_dict(), tensors)
    network.load_state_dict(tensors, strict=True)
    return network.eval(), about


def weights_path(given: str | Path | None = None) -> Path:
    """The weights file that `given` means: a path, the name of weights that come with the package (`phantom`), or, for
    None, those that it uses itself.

    Raises WeightsError when it is neither; it names those that there are.
    """
    if given is None:
        return SHIPPED
    path = Path(given)
    if path.is_file() or path.name != str(given) or path.suffix:
        return path
    named = SHIPPED.with_name(f"{given}.safetensors")
    if not named.is_file():
        known = sorted(file.stem for file in SHIPPED.parent.glob("*.safetensors"))
        raise WeightsError(f"weights {given}: no such file, and none of the package's, which are {', '.join(known)}")
    return named


def _read(path: Path) -> tuple[Weights, dict[str, Tensor]]:
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file; expected the weights.safetensors of a training")
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
    if _KEY not in metadata:
        raise WeightsError(f"{path}: safetensors of another program; expected the weights.safetensors of a training")
    return _describe(path, metadata[_KEY]), tensors


def _describe(path: Path, text: str) -> Weights:
    try:
        values: dict[str, Any] = json.loads(text)
        found = values.pop("format")
        values["model"] = Model.model_validate(values["model"])
        for name in ("patch_vox", "window_hu"):
            values[name] = tuple(values[name])
        about = Weights(**values)
    except (ValidationError, KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(f"{path}: its description is of another version ({reason}); train it anew") from None
    if found != FORMAT:
        raise WeightsError(f"{path}: weights of format {found}, this version reads format {FORMAT}; train it anew")
    return about


def _check(path: Path, expected: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    for name in sorted(expected.keys() | found.keys()):
        wanted, came = (tuple(state[name].shape) if name in state else "absent" for state in (expected, found))
        if wanted != came:
            raise WeightsError(f"{path}: wrong architecture: {name} should be {wanted}, is {came}; train it anew")
