"""A training on phantoms whose cut vertebrae lost their label, as VerSe releases its scans: taken for background
(`annotation: all`) it unlearns the ends of scans, left out (`whole`) it does not. Judged with all labels.

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
from siil.model.weights import SHIPPED
from siil.phantom import sample
from siil.phantom.layout import oriented
from siil.scan.grid import Volume
from siil.scan.preprocess import normalise, preprocess
from siil.training.case_store import CaseArrays, make_case
from siil.training.checkpoint import Checkpoint
from siil.training.engine import fit
from siil.training.history import History
from siil.training.patches import Batches
from siil.training.schedule import Schedule
from siil.training.start import start_network

LEARN, JUDGE = range(91000, 91010), range(91100, 91108)
"""Seeds of phantoms, which no weights have seen."""
STEPS = 200


@dataclass(frozen=True)
class Subject:
    """A phantom on the working grid with all its labels, and the codes of the vertebrae that the scan does not cut."""

    image: Volume
    mask: Volume
    whole: frozenset[int]


def settings(steps: int) -> Config:
    """The sizes of the weights that ship; one epoch without warm-up."""
    train = {
        "epochs": 1,
        "steps_per_epoch": steps,
        "encoder_epochs": 0,
        "teacher_epochs": 0,
        "learning_rate": 0.004,
        "precision": "32-true",
    }
    return configuration.resolve("phantom_full", model="siil", overrides={"train": train})


@cache
def subject(seed: int) -> Subject:
    config = settings(1)
    recipe = next(iter(config.dataset.sources.values())).recipe.model_copy(
        update={
            "fields_of_view": {"chest": 1, "abdomen": 1, "lumbar": 1},
            "spacing_xy_mm": (1.4, 1.6),
            "spacing_z_mm": (2.0, 3.0),
            "lateral_fov_mm": (120, 140),
            "rare_anatomy": 0,
            "variety": None,
        }
    )
    scan = sample(seed, recipe)
    image, mask = oriented(scan, scan.hu), oriented(scan, scan.mask)
    made = preprocess(image, mask, settings=config.dataset.preprocess)
    assert made.mask is not None
    places = objects.locate(mask.array, mask.grid.spacing_mm)
    return Subject(made.image, made.mask, frozenset(objects.complete(places, mask.array.shape)))


def as_released(subject: Subject, annotation: Annotation) -> CaseArrays:
    """The case without the labels of cut vertebrae."""
    codes = np.where(np.isin(subject.mask.array, list(subject.whole)), subject.mask.array, np.uint8(0))
    mask = mark_unlabelled(Volume(codes, subject.mask.grid), annotation=annotation)
    labels = codes_to_indices(mask.array)
    dataset = settings(1).dataset
    pap = processed_probability_map(labels, settings=dataset.pap, spacing_mm=dataset.preprocess.spacing_mm)
    return make_case("", image=subject.image.array, labels=labels, pap=pap)


def trained(annotation: Annotation | None, steps: int) -> Network:
    """The weights that ship, trained further on LEARN; None: as they are."""
    config = settings(steps)
    network = start_network(
        model=config.model,
        patch_vox=config.patch.size_vox,
        spacing_mm=config.dataset.preprocess.spacing_mm,
        seed=0,
        weights=[SHIPPED],
    )
    if annotation is None:
        return network.eval()
    cases = {str(seed): as_released(subject(seed), annotation) for seed in LEARN}
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
    for seed in JUDGE:
        case = subject(seed)
        posterior = slide(
            network,
            normalise(case.image.array, config.dataset.preprocess.window_hu),
            patch_vox=config.patch.size_vox,
            inference=config.inference,
            device="cpu",
            precision="32-true",
            activation=config.model.vertebrae_activation,
        )
        labels = indices_to_codes(raw_labels(posterior, threshold=config.inference.spine_threshold))
        found = score_case(case.mask.array, labels, case.mask.grid.spacing_mm, surfaces=False)
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
    assert every["dice_cut"] < before["dice_cut"] - 0.2
    assert whole["dice_cut"] > before["dice_cut"] - 0.05
    assert whole["dice_whole"] > every["dice_whole"] - 0.02


if __name__ == "__main__":
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    for annotation in (None, "all", "whole"):
        found = judged(trained(annotation, steps))
        print(annotation or "as shipped", {name: round(value, 3) for name, value in found.items()}, flush=True)  # noqa: T201
