"""Fit on one folder of measured scans, confirm on another."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from benchmarks import calibrate
from benchmarks.label_table import one_row_per_scan
from siil import config
from siil.errors import DatasetError
from tests.benchmarks.test_label_table import same, write


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Path, Path]:
    """Wrong scans have margins up to 3, right ones from 4 on; one is flagged by its renamed share, one empty."""
    for side in ("a", "b"):
        folder = tmp_path / side / "scans"
        for n in range(6):
            write(folder, f"right{n}", same("L1", "L2"), margin=4.0 + n)
        write(folder, "wrong", {"L1": "L2", "L2": "L3"}, margin=3.0)
        write(folder, "renamed", {"L1": "L2", "L2": "L3"}, margin=9.0, renamed=0.5, flagged=True)
        write(folder, "nothing", {"L1": "", "L2": ""}, margin=None, flagged=True)
    return tmp_path / "a", tmp_path / "b"


def test_values_are_printed_as_configuration_and_confirmed(sides, tmp_path, monkeypatch, capsys) -> None:
    words = ["calibrate", "--fit", str(sides[0]), "--confirm", str(sides[1]), "--output", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", words)
    calibrate.main()
    said = capsys.readouterr().out
    values = yaml.safe_load(said.split("\n\n")[0])["inference"]["decode"]
    assert values["uncertain_margin"] == 3.5
    assert values["confidence_slope"] > 0
    assert values["confidence_doubted"] == 0  # of three that are flagged one has no vertebra, two only wrong names
    assert "| confirmed | 3.50 | 9 | 3 (33.3%) | 0 of 6 (0.0%, at most 45.9%) |" in said
    assert "| fitted | 0.00 | 9 | 2 (22.2%) | 1 of 7 (14.3%, at most 57.9%) |" in said
    # of 16 vertebrae 12 are right; all have raw confidence 0.8, but for the two L3 that are not in the truth: 0.4
    assert "| fitted | 16 | 0.7500 |" in said
    assert (tmp_path / "out/reliability.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_flagged_for_another_reason_than_the_margin_is_flagged_at_every_margin(tmp_path) -> None:
    decode = config.resolve("pretrain").inference.decode
    above = decode.uncertain_margin + 1
    write(tmp_path, "few", {"L1": "L2", "L2": "L3"}, margin=above, flagged=True)
    write(tmp_path, "close", {"L1": "L2", "L2": "L3"}, margin=1.0, flagged=True)
    write(tmp_path, "right", same("L1", "L2"), margin=above)
    scans = one_row_per_scan(tmp_path)
    _, wrong, flagged = calibrate.margins(scans, "names", decode)
    assert dict(zip(scans["case"], flagged, strict=True)) == {"close": False, "few": True, "right": False}
    assert wrong.tolist() == [True, True, False]


def test_an_answer_behind_which_a_better_rival_cannot_be_counted_is_flagged_at_every_margin(tmp_path) -> None:
    decode = config.resolve("pretrain").inference.decode
    write(tmp_path, "hidden", {"L1": "L2", "L2": "L3"}, margin=0.0, flagged=True)
    write(tmp_path, "close", {"L1": "L2", "L2": "L3"}, margin=0.1, flagged=True)
    _, _, flagged = calibrate.margins(one_row_per_scan(tmp_path), "names", decode)
    assert flagged.tolist() == [False, True]  # close, hidden


def test_a_scan_that_begins_with_c1_needs_less_margin(tmp_path) -> None:
    decode = config.resolve("pretrain").inference.decode
    less = decode.uncertain_margin - decode.uncertain_margin_c1
    assert less > 0
    write(tmp_path, "neck", same("C1", "C2"), margin=2.0, enumeration="C1-C2")
    write(tmp_path, "trunk", same("T10", "T11"), margin=2.0, enumeration="T10-T11")
    margin, _, flagged = calibrate.margins(one_row_per_scan(tmp_path), "names", decode)
    assert margin.tolist() == [2.0 + less, 2.0]
    assert not flagged.any()


def test_what_flagged_scans_have_right_limits_their_confidence(tmp_path) -> None:
    decode = config.resolve("pretrain").inference.decode
    write(tmp_path / "scans", "close", same("L1", "L2", "L3"), margin=1.0)
    write(tmp_path / "scans", "wrong", {"L1": "L2"}, margin=1.5)
    write(tmp_path / "scans", "passes", same("L1", "L2"), margin=9.0)
    side = calibrate.read_side([tmp_path])
    assert calibrate.doubted(side, 3.0, "names", decode) == 3 / 4
    assert calibrate.doubted(side, 0.5, "names", decode) == 1.0  # nobody is flagged


def test_scans_whose_rare_anatomy_nothing_shows_are_left_out_of_the_fit(sides) -> None:
    write(sides[0] / "scans", "no_neck", {"T12": "T11", "T13": "T12", "L1": "L1", "L2": "L2"}, margin=30.0)
    side = calibrate.read_side([sides[0]])
    assert side.hidden == 1
    assert "no_neck" not in side.scans["case"].tolist()
    assert "no_neck" not in side.vertebrae["case"].tolist()
    assert len(side.scans) == 9


def test_a_patient_is_judged_by_the_margin_that_the_others_give(tmp_path) -> None:
    """Phantoms alone give 3.5, with the patient who is wrong at 5 it is 5.5: who is right at 5.4 is flagged by that."""
    folder = tmp_path / "both/scans"
    for n in range(6):
        write(folder, f"right{n}", same("L1", "L2"), margin=4.0 + n)
    write(folder, "wrong", {"L1": "L2", "L2": "L3"}, margin=3.0)
    write(folder, "real_wrong", {"L1": "L2", "L2": "L3"}, margin=5.0, group="real")
    write(folder, "real_right", same("L1", "L2"), margin=5.4, group="real")
    decode = config.resolve("pretrain").inference.decode
    side = calibrate.read_side([tmp_path / "both"])
    together, confidences, right = calibrate.left_out(side, "names", decode, tolerated=0.0)
    # without real_wrong the limit is 3.5, which lets it pass; without real_right it is 5.5, which flags real_right
    assert (together.margin, together.flagged, together.passed, together.wrong) == (5.5, 1, 1, 1)
    assert len(confidences) == len(right) == 4
    assert right.sum() == 2
    only = calibrate.read_side([tmp_path / "both"])
    phantoms = calibrate.Side(only.scans[only.scans["group"] == "phantom"], only.vertebrae, 0)
    assert calibrate.left_out(phantoms, "names", decode, tolerated=0.0) is None


def test_real_patients_get_a_row_of_their_own(sides, tmp_path) -> None:
    folder = tmp_path / "real"
    for n in range(3):
        write(folder / "scans", f"patient{n}", same("L1", "L2"), margin=6.0 + n, group="real")
    decode = config.resolve("pretrain").inference.decode
    said = calibrate.report([sides[0], folder], [], tmp_path / "out", wrong="names", tolerated=0.01, decode=decode)
    assert "| real, each patient left out | 3.50 | 3 | 0 (0.0%) | 0 of 3 (0.0%, at most 70.8%) |" in said
    assert "| real, each patient left out | 6 | 1.0000 |" in said


def test_a_scan_in_two_folders_is_one_line(sides) -> None:
    with pytest.raises(DatasetError, match="stands in two of the folders"):
        calibrate.read_side(sides)


def test_a_folder_without_scans_is_one_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["calibrate", "--fit", str(tmp_path), "--output", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"ERROR: .*no scan was measured"):
        calibrate.main()
