# ruff: noqa: T201
"""What each deviation from the paper brings: trainings of SIIL with one of them undone, on the same patches and seeds.

    python -m benchmarks.deviations --data data/phantom_demo --seeds 0 1 --output OUT

Trains on fold 0 of the demo's phantoms with the demo's settings and scores the network alone on the patients that the
fold holds out (docs/method.md, "Deviations"). A training whose row is in OUT/deviations.tsv is not made again.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch

from siil import config as configuration
from siil.config import Config
from siil.datasets.folds import read_list
from siil.inference.device import usable_precision
from siil.inference.posterior import Posterior
from siil.model import tokens
from siil.model.encoder import Presence
from siil.model.mill import Mill
from siil.model.weights import load_network
from siil.run.tsv import read_table
from siil.stages.train import train
from siil.training import validation
from siil.training.case_store import CaseStore
from siil.training.device import make_fabric
from siil.training.validation import Validator

Undo = Callable[[], AbstractContextManager[Any]]


@contextmanager
def unbiased() -> Iterator[None]:
    """The last norms of S~ and R~ and the head of L^ begin without a bias."""
    constant = torch.nn.init.constant_
    negative = {-2.5, -1.5, -2.0}
    with mock.patch.object(
        torch.nn.init, "constant_", lambda tensor, value: constant(tensor, 0.0 if value in negative else value)
    ):
        yield


def _mean_alone(presence: Presence, features: torch.Tensor) -> torch.Tensor:
    """C of the mean; the other half of the input is zero."""
    mean = features.flatten(2).mean(dim=2)
    return presence.linear(torch.cat([mean, torch.zeros_like(mean)], dim=1))


def _long_enough(mill: Mill, runs: torch.Tensor) -> torch.Tensor:
    """Limits of a run's length, also for one that the patch cuts."""
    height_mm = runs.sum(dim=2, keepdim=True) * mill.slice_mm
    return (height_mm >= mill.min_run_mm) & (height_mm <= mill.max_run_mm)


VARIANTS: dict[str, tuple[dict[str, Any], Undo]] = {
    "as it is": ({}, nullcontext),
    "presence pools the mean alone": ({}, partial(mock.patch.object, Presence, "forward", _mean_alone)),
    "S~ is 0 outside an instance": ({}, partial(mock.patch.object, tokens, "OUTSIDE_LOGIT", 0.0)),
    "no negative biases": ({}, unbiased),
    "cut runs must be long": ({}, partial(mock.patch.object, Mill, "plausible", _long_enough)),
    "O_S a sigmoid": ({"model": {"vertebrae_activation": "sigmoid"}}, nullcontext),
    "two decoders": ({"model": {"decoder": "two"}}, nullcontext),
    "tokens of whole slices": ({"model": {"slices": "flat"}}, nullcontext),
    "masks from tokens alone": ({"model": {"masks": "map"}}, nullcontext),
    "no prior of L^ in O_S": ({"model": {"slice_prior": False}}, nullcontext),
    "cross-entropy of L_L at weight 1": ({"loss": {"localisation_entropy": 1}}, nullcontext),
    "no clipping": ({"train": {"clip_norm": None}}, nullcontext),
}
"""Name -> configuration and patch that undo it."""


def resolved(changed: dict[str, Any], *, seed: int, steps: int) -> Config:
    """The demo's configuration with `steps` steps in ten epochs and what differs."""
    own = {"epochs": 10, "steps_per_epoch": max(1, steps // 10), "validate_every_epochs": 10, "seed": seed}
    overrides = {**changed, "train": own | changed.get("train", {})}
    return configuration.resolve("demo", model="siil", overrides=overrides)


def held_out(data: Path, output: Path) -> Path:
    """Lists of fold 0 with the patients that it holds out for validation, whose scores choose nothing here."""
    folder = output / "lists"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(data / "folds/0/training.txt", folder / "training.txt")
    shutil.copy(data / "folds/0/testing.txt", folder / "validation.txt")
    return folder


def background_competes(posterior: Posterior, *, threshold: float) -> np.ndarray:
    """In place of `raw_labels`: a voxel of spine whose best class is background is background."""
    labels = np.zeros(posterior.spine.shape, np.uint8)
    spine = posterior.spine.reshape(-1)[posterior.index].astype(np.float32) > threshold
    labels.reshape(-1)[posterior.index[spine]] = posterior.classes.argmax(axis=1)[spine]
    return labels


def background_scores(config: Config, data: Path, lists: Path, weights: Path) -> dict[str, float]:
    """Scores of trained weights where background competes."""
    precision = usable_precision(config.train.precision, "cpu")
    validator = Validator(
        cases=CaseStore(data, memory_bytes=2 * 10**9),
        names=read_list(lists / "validation.txt"),
        fabric=make_fabric("cpu", precision=precision),
        patch_vox=config.patch.size_vox,
        spacing_mm=config.dataset.preprocess.spacing_mm,
        window_hu=config.dataset.preprocess.window_hu,
        inference=config.inference,
        activation=config.model.vertebrae_activation,
        precision=precision,
    )
    with mock.patch.object(validation, "raw_labels", background_competes):
        return validator(load_network(weights)[0].eval())


def measure(name: str, *, data: Path, output: Path, seed: int, steps: int) -> list[dict[str, Any]]:
    """Train one variant; a row with its scores (for the first, one where background competes too)."""
    changed, undo = VARIANTS[name]
    config = resolved(changed, seed=seed, steps=steps)
    lists, folder = held_out(data, output), output / f"{list(VARIANTS).index(name)}_seed{seed}"
    with undo():
        train(config=config, data=data, lists=lists, output=folder, device="cpu")
    history = read_table(folder / "history.tsv")
    last = history.dropna(subset=["dice"]).iloc[-1]
    scores = {key: last[key] for key in ("dice", "binary_dice", "id_rate")}
    rows = [{"variant": name, "seed": seed, "steps": steps, **scores}]
    if name == "as it is":
        scores = background_scores(config, data, lists, folder / "weights.safetensors")
        rows.append({"variant": "background competes with vertebrae", "seed": seed, "steps": steps, **scores})
    return rows


def table(rows: pd.DataFrame) -> str:
    """Means over seeds and the difference from `as it is`, seed by seed (smallest to largest)."""
    base = rows[rows["variant"] == "as it is"].set_index("seed")
    lines = ["| undone | seeds | Dice | difference | binary Dice | identification | difference |", "|---" * 7 + "|"]
    for name, part in rows.groupby("variant", sort=False):
        part = part.set_index("seed")
        cells = []
        for key in ("dice", "id_rate"):
            change = (part[key] - base[key]).dropna()
            span = f"{change.mean():+.3f} ({change.min():+.3f} to {change.max():+.3f})" if name != "as it is" else ""
            cells.append((f"{part[key].mean():.3f}", span))
        (dice, dice_change), (found, found_change) = cells
        binary = f"{part['binary_dice'].mean():.3f}"
        lines.append(f"| {name} | {len(part)} | {dice} | {dice_change} | {binary} | {found} | {found_change} |")
    return "\n".join(lines)


def main() -> None:
    """Train what is missing, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/phantom_demo"), help="preprocessed, with folds")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True, metavar="OUT")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    path = options.output / "deviations.tsv"
    rows = read_table(path) if path.is_file() else pd.DataFrame(columns=["variant", "seed", "steps"])
    for seed in options.seeds:
        for name in options.only:
            if ((rows["variant"] == name) & (rows["seed"] == seed) & (rows["steps"] == options.steps)).any():
                continue
            found = measure(name, data=options.data, output=options.output, seed=seed, steps=options.steps)
            rows = pd.concat([rows, pd.DataFrame(found)], ignore_index=True)
            rows.to_csv(path, sep="\t", index=False)
            print(found[0], flush=True)
    print(table(rows[rows["steps"] == options.steps]))


if __name__ == "__main__":
    main()
