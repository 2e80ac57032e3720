"""A training on phantoms whose cut vertebrae lost their label, as VerSe releases its scans: taken for background
(`annotation: all`) it unlearns the ends of scans, left out (`whole`) it mostly does not. Judged with all labels.

    python -m tests.training.test_cut_vertebrae [STEPS]        prints the table of docs/log.md
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from lightning_fabric import Fabric

from siil import config as configuration
from siil.anatomy import BY_CODE, codes_to_indices, indices_to_codes
from siil.config import Config
from siil.config.schema.dataset import Annotation
from siil.datasets.annotation import mark_unlabelled
from siil.datasets.pap import processed_probability_map
from siil.inference.fuse import raw_labels
from siil.inference.sliding_window import slide
from siil.losses.total import total_loss
from siil.metrics import objects
from siil.metrics.case import score_case
from siil.model.network import Network
from siil.model.weights import load_network, weights_path
from siil.phantom import sample
from siil.phantom.layout import oriented
from siil.scan.grid import Grid, Volume
from siil.scan.preprocess import normalise, preprocess
from siil.training.case_store import CaseArrays, make_case
from siil.training.checkpoint import Checkpoint
from siil.training.engine import fit
from siil.training.history import History
from siil.training.patches import Batches
from siil.training.schedule import Schedule
from siil.training.start import start_network

LEARN, JUDGE = range(91000, 91008), range(91100, 91106)
"""Seeds of phantoms, which no weights have seen."""
STEPS = 150
SPACING = (3.0, 3.0, 3.0)
LEVELS = 4
"""From the middle of a vertebra to the middle of the fourth above: two that are cut, and what is whole between."""


@dataclass(frozen=True)
class Subject:
    """A piece of a phantom on the working grid, HU and VerSe codes, and the codes of its vertebrae that are not cut."""

    image: np.ndarray
    codes: np.ndarray
    whole: tuple[int, ...]


@cache
def settings(steps: int) -> Config:
    """The demo's data and losses, the sizes of the weights that ship; one epoch without warm-up."""
    _, about = load_network(weights_path("phantom"))
    train = {
        "epochs": 1,
        "steps_per_epoch": steps,
        "encoder_epochs": 0,
        "teacher_epochs": 0,
        "learning_rate": 0.004,
        "precision": "32-true",
    }
    config = configuration.resolve("demo", model="siil", overrides={"train": train})
    sizes = {"model": about.model, "patch": config.patch.model_copy(update={"size_vox": about.patch_vox})}
    assert about.spacing_mm == config.dataset.preprocess.spacing_mm
    return config.model_copy(update=sizes)


@cache
def subjects(seeds: range) -> list[Subject]:
    """Two pieces of each phantom, one above the other, whose ends cut a vertebra in its middle."""
    config = settings(1)
    recipe = next(iter(config.dataset.sources.values())).recipe.model_copy(
        update={"fields_of_view": {"chest": 1, "abdomen": 1}, "rare_anatomy": 0, "lateral_fov_mm": (120, 140)}
    )
    found = []
    for seed in seeds:
        scan = sample(seed, recipe)
        made = preprocess(oriented(scan, scan.hu), oriented(scan, scan.mask), settings=config.dataset.preprocess)
        assert made.mask is not None
        places = objects.locate(made.mask.array, made.mask.grid.spacing_mm)
        heights = sorted(round(float(place.centroid_mm[0] / SPACING[0])) for place in places.values())
        for low, high in ((heights[0], heights[LEVELS]), (heights[-1 - LEVELS], heights[-1])):
            image, codes = (volume.array[low:high] for volume in (made.image, made.mask))
            there = objects.locate(codes, SPACING)
            found.append(Subject(image, codes, tuple(objects.complete(there, codes.shape))))
    return found


def as_released(subject: Subject, annotation: Annotation) -> CaseArrays:
    """The case without the labels of cut vertebrae."""
    codes = np.where(np.isin(subject.codes, subject.whole), subject.codes, np.uint8(0))
    mask = mark_unlabelled(Volume(codes, Grid(codes.shape, SPACING)), annotation=annotation)
    labels = codes_to_indices(mask.array)
    dataset = settings(1).dataset
    pap = processed_probability_map(labels, settings=dataset.pap, spacing_mm=dataset.preprocess.spacing_mm)
    return make_case("", image=subject.image, labels=labels, pap=pap)


def trained(annotation: Annotation | None, steps: int) -> Network:
    """The weights that ship, trained further on LEARN; None: as they are."""
    config = settings(steps)
    network = start_network(
        model=config.model,
        patch_vox=config.patch.size_vox,
        spacing_mm=config.dataset.preprocess.spacing_mm,
        seed=0,
        weights=weights_path("phantom"),
    )
    if annotation is None:
        return network.eval()
    cases = {str(n): as_released(subject, annotation) for n, subject in enumerate(subjects(LEARN))}
    batches = Batches(
        cases=cases,
        names=tuple(cases),
        settings=config.train,
        patch_vox=config.patch.size_vox,
        spacing_mm=config.dataset.preprocess.spacing_mm,
        window_hu=config.dataset.preprocess.window_hu,
    )
    activation = config.model.vertebrae_activation
    with TemporaryDirectory() as folder:
        fit(
            fabric=Fabric(accelerator="cpu", devices=1, precision="32-true"),
            network=network,
            loss=lambda output, labels: total_loss(output, labels, loss=config.loss, activation=activation),
            batches=batches,
            schedule=Schedule(config.train, steps),
            checkpoint=Checkpoint(Path(folder) / "last.ckpt", "", 10**9),
            history=History(None),
            validate=None,
        )
    return network.eval()


def judged(network: Network) -> dict[str, float]:
    """Mean Dice of cut and of whole vertebrae of JUDGE, and the shares of them that are found (Dice above one half)."""
    config = settings(1)
    rows: list[tuple[bool, float]] = []
    for case in subjects(JUDGE):
        posterior = slide(
            network,
            normalise(case.image, config.dataset.preprocess.window_hu),
            patch_vox=config.patch.size_vox,
            inference=config.inference,
            device="cpu",
            precision="32-true",
            activation=config.model.vertebrae_activation,
        )
        labels = indices_to_codes(raw_labels(posterior, threshold=config.inference.spine_threshold))
        found = score_case(case.codes, labels, SPACING, surfaces=False)
        names = {BY_CODE[code].name for code in case.whole}
        there = found[(found["scope"] == "vertebra") & found["truth"].eq(True)]
        rows += [(row["label"] in names, row["dice"]) for row in there.to_dict("records")]
    values = {part: [dice for whole, dice in rows if whole == (part == "whole")] for part in ("cut", "whole")}
    return {
        f"{name}_{part}": float(np.mean([dice if name == "dice" else dice > 0.5 for dice in values[part]]))
        for part in values
        for name in ("dice", "found")
    } | {"n_cut": len(values["cut"]), "n_whole": len(values["whole"])}


@pytest.mark.slow
def test_cut_vertebrae_without_a_label_are_unlearnt_unless_they_are_left_out() -> None:
    before, every, whole = (judged(trained(annotation, STEPS)) for annotation in (None, "all", "whole"))
    assert every["dice_cut"] < before["dice_cut"] - 0.5
    assert whole["dice_cut"] > before["dice_cut"] - 0.25
    assert whole["dice_whole"] > every["dice_whole"] - 0.05


if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    for annotation in (None, "all", "whole"):
        found = judged(trained(annotation, steps))
        print(annotation or "as shipped", {name: round(value, 3) for name, value in found.items()}, flush=True)  # noqa: T201
