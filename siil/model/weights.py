"""The weights file of a network, from which it is rebuilt: a file of siil/model/tensor_file.py."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from pydantic import ValidationError

from siil.config.schema.model import Model
from siil.errors import ConfigError, WeightsError
from siil.model import tensor_file
from siil.model.build import build_network
from siil.model.network import Network
from siil.model.second_look import SecondLook, SecondLookWeights

FORMAT: Final = 1
SHIPPED: Final = Path(__file__).parents[1] / "pretrained" / "patients.safetensors"
"""The weights that are used unless others are asked for; docs/model-card.md says what they are and are not."""
SHIPPED_SECOND_LOOK: Final = SHIPPED.with_name("second_look.safetensors")
"""The second look that goes with them."""
_KEY: Final = "siil"
_SECOND_LOOK: Final = "siil_second_look"


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
    tensor_file.write(path, network, key=_KEY, values=values, half=half)


def load_network(path: Path) -> tuple[Network, Weights]:
    """The network in eval mode, on the CPU, and what its file says about it.

    Raises:
        WeightsError: missing, truncated, a pickle, not of this package, or not fitting its own description.
    """
    path = Path(path)
    text, tensors = tensor_file.read(path, key=_KEY, made_by="the weights.safetensors of a training")
    about = _describe(path, text)
    try:
        with torch.random.fork_rng(devices=[]):  # random weights are overwritten; the caller's generator stays
            network = build_network(model=about.model, patch_vox=about.patch_vox, spacing_mm=about.spacing_mm)
    except ConfigError as error:
        raise WeightsError(f"{path}: its description makes no network ({error}); train it anew") from None
    tensor_file.put(path, network, tensors)
    return network.eval(), about


def save_second_look(path: Path, network: SecondLook, *, about: SecondLookWeights, half: bool = False) -> None:
    """Write the second look `network` and `about` to `path` (.safetensors), atomically. half: as `save_weights`."""
    tensor_file.write(path, network, key=_SECOND_LOOK, values=asdict(about) | {"format": FORMAT}, half=half)


def load_second_look(path: Path) -> tuple[SecondLook, SecondLookWeights]:
    """The second look in eval mode, on the CPU, and what its file says. Raises WeightsError as `load_network` does."""
    path = Path(path)
    text, tensors = tensor_file.read(path, key=_SECOND_LOOK, made_by="the second_look.safetensors of siil refine")
    try:
        values: dict[str, Any] = json.loads(text)
        found = values.pop("format")
        for name in ("widths", "window_hu"):
            values[name] = tuple(values[name])
        about = SecondLookWeights(**values)
        with torch.random.fork_rng(devices=[]):
            network = SecondLook(about.widths)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise WeightsError(f"{path}: its description is of another version ({reason}); train it anew") from None
    if found != FORMAT:
        raise WeightsError(f"{path}: weights of format {found}, this version reads format {FORMAT}; train it anew")
    tensor_file.put(path, network, tensors)
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
        known = sorted(file.stem for file in SHIPPED.parent.glob("*.safetensors") if file != SHIPPED_SECOND_LOOK)
        raise WeightsError(f"weights {given}: no such file, and none of the package's, which are {', '.join(known)}")
    return named


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
