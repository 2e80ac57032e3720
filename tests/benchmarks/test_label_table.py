"""The table of labels on rows made by hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.label_table import hidden, one_row_per_scan, rarity, table, vertebra_rows
from siil.errors import DatasetError
from siil.metrics import rows


def write(folder: Path, case: str, named: dict[str, str], **facts: object) -> None:
    """A scan whose true vertebrae are found under the names of `named` ("" : missed) by decoding; the network alone
    calls all of them right."""
    frames = []
    for space in ("work", "raw", "input", "ceiling"):
        said = named if space in ("work", "input") else {name: name for name in named}
        hits = sum(true == found for true, found in said.items())
        invented = sorted(set(said.values()) - set(said) - {""})
        made = [
            {
                "scope": "vertebra", "label": true, "truth": True, "predicted": true in said.values(), "complete": True,
                "dice": 0.9 if said[true] == true else 0.0, "hit_strict": float(said[true] == true),
                "hit_verse": float(said[true] == true), "detected": float(bool(said[true])), "raw_confidence": 0.8,
                "confidence": 0.7,
            }
            for true in said
        ]  # fmt: skip
        made += [
            {"scope": "vertebra", "label": name, "truth": False, "predicted": True, "raw_confidence": 0.4}
            for name in invented
        ]
        names = [name for name in said.values() if name]
        made.append(
            {
                "scope": "scan", "label": "", "n_truth": len(said), "n_predicted": len(names),
                "dice": 0.9 * hits / len(said),
                "binary_dice": 0.95, "id_rate_verse": hits / len(said), "id_rate_strict": hits / len(said),
                "all_right": float(hits == len(said) == len(names)), "flagged": False, "margin": 5.0, "renamed": 0.0,
                "patient_scale": 1.0, "enumeration": "", "runner_up": "", "reason": "", "uncertain": False, **facts,
            }
        )  # fmt: skip
        frame = pd.DataFrame(made).assign(
            case=case, space=space, group=facts.get("group", "phantom"), field=facts.get("field", "lumbar")
        )
        frames.append(frame.astype(object))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{case}.tsv").write_text(rows.to_text(pd.concat(frames, ignore_index=True)))


def same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Right; a sliver missed; shifted by one and not flagged; shifted with L6 and flagged."""
    write(tmp_path, "a", same("T12", "L1", "L2"))
    write(tmp_path, "b", {"T12": "", "L1": "L1", "L2": "L2"}, field="abdomen")
    write(tmp_path, "c", {"L1": "L2", "L2": "L3"})
    write(tmp_path, "d", {"L5": "L4", "L6": "L5"}, flagged=True, margin=0.5)
    return tmp_path


def test_a_missed_sliver_is_not_all_right_but_its_names_are(folder: Path) -> None:
    scans = one_row_per_scan(folder).set_index("case")
    assert scans["work_all_right"].tolist() == [True, False, False, False]
    assert scans["work_names_right"].tolist() == [True, True, False, False]
    assert scans["raw_names_right"].all()
    assert scans.loc["b", "work_id_rate_strict"] == pytest.approx(2 / 3)
    assert scans.loc["d", ["flagged", "margin", "rare"]].tolist() == [True, 0.5, "L6"]


def test_rows_of_the_table_count_what_nobody_was_told(folder: Path) -> None:
    lines = {line.split(" | ")[0][2:]: line.split(" | ") for line in table(one_row_per_scan(folder)).splitlines()}
    every = lines["phantoms"]
    assert every[1] == "4"
    assert every[6] == "1.000 → 0.250"  # all right
    assert every[7] == "1.000 → 0.500"  # names right
    assert every[8:] == ["0.250", "0.500", "0.750", "1 of 3 |"]
    native = lines["phantoms, input's grid"]
    assert native[1] == "4"
    assert native[4] == "0.375 of 0.900"  # Dice, mean of 0.9, 0.6, 0 and 0
    assert native[6].startswith("0.250 of 1.000")  # all right
    assert lines["phantoms, abdomen"][1] == "1"
    assert lines["phantoms, rare anatomy"][1] == lines["phantoms, L6"][1] == "1"
    assert "phantoms, T13" not in lines


def test_rare_is_what_the_field_of_view_shows() -> None:
    assert rarity({"T11", "T12", "L1"}) == ""
    assert rarity({"T11", "L1", "L2"}) == "no T12"
    assert rarity({"L1", "L2"}) == ""  # T12 may lie above the scan
    assert rarity({"T12", "T13", "L1", "L6"}) == "T13 L6"


def test_vertebrae_are_right_where_they_carry_their_own_name(folder: Path) -> None:
    found = vertebra_rows(folder).set_index(["case", "label"])["right"]
    assert found["a"].to_dict() == {"T12": True, "L1": True, "L2": True}
    assert found["b"].to_dict() == {"L1": True, "L2": True}
    assert found["c"].to_dict() == {"L2": False, "L3": False}  # L2 is in the truth, at another place


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no scan was measured; run benchmarks\.labels"):
        one_row_per_scan(tmp_path)


@pytest.mark.parametrize(
    ("names", "whole", "unprovable"),
    [
        ("T11 T12 T13 L1 L2", "T12 T13 L1", True),
        ("C6 C7 T1 T12 T13 L1 L2", "C7 T1 T12 T13 L1", False),
        ("C7 T1 T12 T13 L1", "T1 T12 T13", True),  # the border cuts C7 and L1
        ("C7 T1 T12 T13 L1", "C7 T1 T12 T13 L1", False),
        ("C6 C7 T1 T11 L1 L2", "C7 T1 T11 L1", False),
        ("T10 T11 L1 L2", "T11 L1", True),
        ("L1 L2 L3 L4 L5 L6", "L2 L3 L4 L5 L6", True),
        ("T12 L1 L2 L3 L4 L5 L6", "L1 L2 L3 L4 L5 L6", False),
        ("L1 L2 L3", "L2", False),
    ],
)
def test_rare_anatomy_is_hidden_where_a_border_to_count_from_is_not_in_view(names, whole, unprovable) -> None:
    assert hidden(set(names.split()), set(whole.split())) == unprovable
