# ruff: noqa: T201
"""Thousands of training steps in bfloat16 on patches that are hard on the arithmetic: is every number finite?

    python -m benchmarks.numerics                               10,000 steps of the demo's network
    python -m benchmarks.numerics --model as_published --set model.vertebrae_activation=sigmoid

The engine, losses, schedule and clipping are those of `siil train`; only the patches are made here: air, a constant,
the ends of the HU window, noise, no vertebra, all of them, a single voxel of one, runs cut at both ends, T13 and L6.
The engine itself stops at the first term or gradient that is not finite and names it with the patches' kinds; at the
end the weights are looked at too. Patches are 32 x 16 x 16 voxels, an eighth of the demo's, to fit many steps in.
A processor without bfloat16 computes in float32, and the output says so.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from siil import config as configuration
from siil.anatomy import BY_NAME
from siil.config import Config
from siil.inference.device import usable_precision
from siil.losses.total import total_loss
from siil.model.build import build_network
from siil.model.network import Network
from siil.run.tsv import read_table
from siil.training.checkpoint import Checkpoint
from siil.training.device import make_fabric
from siil.training.engine import fit
from siil.training.history import History
from siil.training.patches import Batch, Batches
from siil.training.schedule import Schedule

PATCH = (32, 16, 16)
EPOCHS = 20
Make = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""image [Z, Y, X] in [-1, 1] and labels [Z, Y, X]"""


def stacked(generator: np.random.Generator, *, count: int, last: str = "L6") -> tuple[np.ndarray, np.ndarray]:
    """`count` neighbours down to `last` at most, filling the height, in noise; cut at both ends as it comes."""
    lowest = int(generator.integers(count, BY_NAME[last].index + 1))
    height = PATCH[0] / count
    rows = lowest - (np.arange(PATCH[0]) / height).astype(int)
    labels = np.zeros(PATCH, np.uint8)
    labels[:, 4:12, 4:12] = np.clip(rows, 1, 26)[:, None, None]
    return labels / 13 - 0.9 + 0.2 * generator.standard_normal(PATCH), labels


def plain(generator: np.random.Generator, *, value: float, noise: float = 0) -> tuple[np.ndarray, np.ndarray]:
    """A constant with or without noise, and no vertebra."""
    return value + noise * generator.standard_normal(PATCH), np.zeros(PATCH, np.uint8)


def speck(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One voxel of one vertebra."""
    image, labels = plain(generator, value=-0.2, noise=0.3)
    labels[tuple(generator.integers(0, PATCH))] = generator.integers(1, 27)
    return image, labels


def windowed(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Nothing but the two ends of the HU window, with vertebrae in it."""
    image, labels = stacked(generator, count=5)
    return np.sign(image), labels


KINDS: dict[str, Make] = {
    "air": partial(plain, value=-1),
    "constant": partial(plain, value=0.3),
    "brightest": partial(plain, value=1),
    "noise": partial(plain, value=0, noise=1),
    "speck": speck,
    "ends of the window": windowed,
    "one": partial(stacked, count=1),
    "six": partial(stacked, count=6),
    "six to T13": partial(stacked, count=6, last="T13"),
    "all": partial(stacked, count=26),
}


class HardPatches(Batches):
    """Batches of kinds in turn, a function of the step alone."""

    def draw(self, step: int) -> Batch:
        """The batch of a step; its cases are the kinds."""
        generator = np.random.default_rng((self.settings.seed, step))
        names = tuple(str(n) for n in generator.choice(list(KINDS), size=self.settings.batch_size))
        made = [KINDS[name](generator) for name in names]
        image = np.clip(np.stack([image for image, _ in made]), -1, 1).astype(np.float32)
        labels = np.stack([labels for _, labels in made])
        return Batch(torch.from_numpy(image[:, None]), torch.from_numpy(labels), names)


def prepare(steps: int, model: str = "siil", overrides: list[str] | None = None) -> tuple[Config, Network]:
    """The demo's configuration for so many steps, and its network."""
    own: dict[str, dict[str, object]] = {
        "train": {"epochs": EPOCHS, "steps_per_epoch": max(1, steps // EPOCHS), "validate_every_epochs": EPOCHS}
    }
    own |= {"patch": {"size_vox": list(PATCH)}}
    config = configuration.resolve("demo", model=model, overrides=own)
    if overrides:
        config = configuration.resolve("demo", model=model, overrides=_merged(own, overrides))
    torch.manual_seed(config.train.seed)
    return config, build_network(model=config.model, patch_vox=PATCH, spacing_mm=3.0)


def _merged(own: dict[str, dict[str, object]], overrides: list[str]) -> dict[str, dict[str, object]]:
    given = configuration.parse_overrides(overrides)
    return {section: {**own.get(section, {}), **given.get(section, {})} for section in {*own, *given}}


def train(config: Config, network: Network, folder: Path) -> pd.DataFrame:
    """The history of the training: a row per epoch.

    Raises:
        TrainingError: a term or a gradient was not finite.
    """
    settings = config.train
    batches = HardPatches(
        cases={}, names=tuple(KINDS), settings=settings, patch_vox=PATCH, spacing_mm=3.0, window_hu=(-500, 1300)
    )
    fit(
        fabric=make_fabric("cpu", precision=settings.precision),
        network=network,
        loss=partial(total_loss, loss=config.loss, activation=config.model.vertebrae_activation),
        batches=batches,
        schedule=Schedule(settings, settings.steps_per_epoch or 1),
        checkpoint=Checkpoint(folder / "last.ckpt", "", 10**9),
        history=History(folder),
        validate=None,
    )
    return read_table(folder / "history.tsv")


def computed_in(configured: str) -> str:
    """The precision on this CPU; what is not bfloat16 is named as such."""
    usable = usable_precision(configured, "cpu")
    return usable if usable.startswith("bf16") else f"{usable}, NOT bfloat16 (configured: {configured})"


def main() -> None:
    """Train, print the terms and gradient norms of the epochs and what became of the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--model", default="siil")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the configuration")
    options = parser.parse_args()
    config, network = prepare(options.steps, options.model, options.set)
    precision = computed_in(config.train.precision)
    print(f"computing in {precision}\n", flush=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        history = train(config, network, Path(folder))
    print(history.dropna(axis="columns", how="all").drop(columns="phase").to_markdown(index=False, floatfmt=".4g"))
    finite = all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())
    largest = max(float(value.detach().abs().max()) for value in network.parameters())
    print(f"\n{history['step'].max()} steps in {precision}, {time.perf_counter() - start:.0f} s:")
    print(
        f"every term and gradient was finite; the weights are{'' if finite else ' NOT'}, the largest is {largest:.3g}"
    )


if __name__ == "__main__":
    main()
