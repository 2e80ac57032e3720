"""The codes of the tools, as their authors write them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from siil.anatomy import BY_NAME, RIB_CODE, SACRUM_CODE
from siil.datasets import codes
from siil.errors import ConfigError


def code(name: str) -> int:
    return BY_NAME[name].code


@pytest.mark.parametrize(
    ("tool", "labels"),
    [
        ("verse", {1: "C1", 19: "T12", 25: "L6", 28: "T13"}),
        ("totalsegmentator", {27: "L5", 31: "L1", 32: "T12", 43: "T1", 44: "C7", 50: "C1"}),
        ("totalsegmentator_v1", {18: "L5", 22: "L1", 23: "T12", 34: "T1", 35: "C7", 41: "C1"}),
        ("vertebrae_pp", {1: "C1", 7: "C7", 8: "T1", 19: "T12", 20: "L1", 24: "L5"}),
        ("spineps", {1: "C1", 24: "L5", 28: "T13"}),
        ("nnunet", {1: "C1", 25: "L6", 26: "T13"}),
    ],
)
def test_the_labels_of_a_tool_are_the_vertebrae_that_it_means(tool, labels):
    table = codes.table(tool)
    assert {label: table[label] for label in labels} == {label: code(name) for label, name in labels.items()}
    assert table[0] == 0


def test_what_is_no_vertebra_is_background():
    assert [codes.table("totalsegmentator")[label] for label in (1, 24, 51, 117)] == [0] * 4  # organs
    assert codes.table("totalsegmentator")[25] == codes.table("totalsegmentator")[26] == SACRUM_CODE
    ribs = [label for label, code in codes.table("totalsegmentator").items() if code == RIB_CODE]
    assert ribs == list(range(92, 116))  # twelve on each side
    assert [codes.table("spineps")[label] for label in (40, 101, 124)] == [0] * 3  # ribs, discs


def test_every_vertebra_has_one_label_in_each_table():
    for tool in codes.CODES:
        found = {c for c in codes.table(tool).values() if c and c not in (26, 27, RIB_CODE, codes.PLATE)}
        knows_all = tool in ("verse", "spineps", "nnunet")  # the others know no T13 and L6
        assert len(found) == (26 if knows_all else 24)


def test_a_dataset_json_gives_the_labels_by_name_in_both_of_its_versions(tmp_path):
    path = tmp_path / "dataset.json"
    path.write_text(json.dumps({"labels": {"background": 0, "L5": 1, "L4": 2, "sacrum": 3}}))
    assert codes.table(str(path)) == {0: 0, 1: code("L5"), 2: code("L4"), 3: 0}
    path.write_text(json.dumps({"labels": {"0": "background", "1": "L5"}}))
    assert codes.table(str(path)) == {0: 0, 1: code("L5")}
    path.write_text(json.dumps({"labels": {"background": 0, "vertebra": 1}}))
    with pytest.raises(ConfigError, match="names C1 to L6"):
        codes.table(str(path))
    with pytest.raises(ConfigError, match=r"expected one of verse, totalsegmentator, .*, spineps, nnunet or"):
        codes.table("totalseg")


def test_a_dataset_json_that_is_nested_without_end_is_refused(tmp_path):
    (tmp_path / "dataset.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="got something else"):
        codes.table(str(tmp_path / "dataset.json"))


def test_the_tables_that_fit_a_map_are_told_by_the_truth():
    truth = np.repeat(np.array([0, 20, 21, 22], np.uint8), [50, 10, 20, 20])  # L1, L2, L3
    first = np.repeat(np.array([0, 22, 21, 20], np.uint16), [50, 10, 20, 20])  # as version 1 counts them
    shares = codes.fitting(first, truth)
    assert shares["totalsegmentator_v1"] == 1.0
    assert shares["verse"] == shares["vertebrae_pp"] == shares["nnunet"] == 0.4  # 21 is L2 in both
    assert shares["totalsegmentator"] == 0.0
