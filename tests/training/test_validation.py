import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional

from siil.anatomy import UNLABELLED
from siil.config import partial, resolve, sections
from siil.metrics.case import score_case
from siil.run.pipeline import BY_NAME
from siil.training.case_store import make_case
from siil.training.validation import Validator, sums_of_case
from tests.training.doubles import CLASSES, PATCH, spine_case

WINDOW_HU = (-500.0, 1300.0)


class Reader(nn.Module):
    """Reads the label off the brightness that `spine_case` gave it; `shift` calls each vertebra by another's name."""

    def __init__(self, shift: int = 0) -> None:
        super().__init__()
        self.shift = shift
        self.register_buffer("memory", torch.zeros(3))

    def forward(self, image: Tensor, labels: Tensor | None = None) -> SimpleNamespace:
        assert labels is None
        assert not self.training
        hu = (image[:, 0] + 1) * 900 - 500
        found = torch.where(hu > 100, ((hu - 200) / 20).round(), 0).long().clamp(0, CLASSES - 2)
        named = torch.where(found > 0, found + self.shift, 0)
        classes = functional.one_hot(named, CLASSES).movedim(-1, 1) * 20.0
        return SimpleNamespace(spine=(named[:, None] > 0) * 20.0 - 10.0, vertebrae=classes, core=None, landmarks=None)


def validator(cases) -> Validator:
    return Validator(
        cases=cases,
        names=tuple(cases),
        fabric=Fabric(accelerator="cpu", devices=1),
        patch_vox=PATCH,
        spacing_mm=3.0,
        window_hu=WINDOW_HU,
        inference=partial(sections(resolve("demo"), BY_NAME["train"].sections)).inference,  # no more than `train` has
        activation="softmax",
        precision="32-true",
    )


def test_a_network_that_reads_the_truth_scores_one() -> None:
    cases = {"a": spine_case("a", first=3), "b": spine_case("b", first=9, count=2)}
    scores = validator(cases)(Reader())
    assert scores == {"dice": 1.0, "binary_dice": 1.0, "id_rate": 1.0}


def test_a_scan_much_wider_than_a_window_is_scored_with_the_settings_that_a_training_has() -> None:
    scores = validator({"wide": spine_case("wide", shape=(24, 40, 40))})(Reader())
    assert scores == {"dice": 1.0, "binary_dice": 1.0, "id_rate": 1.0}


def test_a_network_one_level_off_finds_the_spine_but_names_nothing() -> None:
    scores = validator({"a": spine_case("a", count=1)})(Reader(shift=1))
    assert scores == {"dice": 0.0, "binary_dice": 1.0, "id_rate": 0.0}


def test_means_run_over_all_vertebrae_not_over_scans() -> None:
    class Half(Reader):
        """Misses vertebra 9, the only one of its scan."""

        def forward(self, image: Tensor, labels: Tensor | None = None) -> SimpleNamespace:
            output = super().forward(image, labels)
            output.spine[:, 0][output.vertebrae.argmax(1) == 9] = -10.0
            return output

    cases = {"a": spine_case("a", first=3, count=3), "b": spine_case("b", first=9, count=1)}
    scores = validator(cases)(Half())
    assert scores["dice"] == pytest.approx(3 / 4)
    assert scores["id_rate"] == pytest.approx(3 / 4)
    assert scores["binary_dice"] == pytest.approx(1 / 2)


def test_scans_without_a_vertebra_give_no_score() -> None:
    empty = np.zeros(PATCH, np.int16)
    case = make_case("a", image=empty - 100, labels=empty.astype(np.uint8), pap=np.ones(PATCH, np.float32))
    assert all(math.isnan(value) for value in validator({"a": case})(Reader()).values())


def test_the_mode_of_the_network_stays() -> None:
    network = Reader()
    network.train()
    validator({"a": spine_case("a")})(network)
    assert network.training
    assert torch.equal(network.memory, torch.zeros(3))


def test_the_sums_are_those_of_the_evaluation() -> None:
    truth, found = np.zeros((16, 12, 12), np.uint8), np.zeros((16, 12, 12), np.uint8)
    truth[0:5, 2:9, 2:9], truth[6:11, 2:9, 2:9], truth[12:15, 2:9, 2:9] = 19, 20, 21
    found[1:5, 1:9, 2:9], found[6:10, 2:9, 2:9], found[12:15, 3:9, 2:9] = 19, 20, 22
    total, hits, vertebrae, binary, scans = sums_of_case(truth, found, spacing_mm=3.0).tolist()
    rows = score_case(truth, found, (3.0, 3.0, 3.0), surfaces=False)
    scan = rows.loc[rows["scope"] == "scan"].iloc[0]
    assert total / vertebrae == pytest.approx(scan["dice"])
    assert hits / vertebrae == pytest.approx(scan["id_rate_verse"])
    assert binary == pytest.approx(scan["binary_dice"])
    assert (vertebrae, scans) == (3, 1)


def test_what_is_found_where_nobody_annotated_is_left_out() -> None:
    """The vertebra at the lower end has no label and is found: with the mark as if it were not in view."""
    case = spine_case("a", first=3, count=3)
    case.labels[case.labels == 3] = 0
    scores = validator({"a": case})(Reader())
    assert (scores["dice"], scores["id_rate"]) == (1, 1)
    assert scores["binary_dice"] == pytest.approx(2 * 2 / (2 + 3))
    case.labels[:4][case.labels[:4] == 0] = UNLABELLED
    assert validator({"a": case})(Reader()) == {"dice": 1.0, "binary_dice": 1.0, "id_rate": 1.0}
