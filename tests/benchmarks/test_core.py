"""The core on patients: lists without those that are judged, and the table of what was trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.core import drawn, scores, table, write_lists


def write_fold(folder: Path) -> Path:
    folder.mkdir()
    (folder / "training.txt").write_text("phantom1\nsub-lidc0001\nsub-tptbox\n")
    (folder / "validation.txt").write_text("phantom2\nother-lidc0001\n")
    (folder / "sources.tsv").write_text("case\tsource\nphantom1\tphantoms\n")
    return folder


def test_a_scan_that_is_judged_teaches_nothing(tmp_path):
    lists = write_lists(write_fold(tmp_path / "fold"), ["lidc0001"], tmp_path / "lists")
    assert (lists / "training.txt").read_text() == "phantom1\nsub-tptbox\n"
    assert (lists / "validation.txt").read_text() == "phantom2\n"
    assert (lists / "sources.tsv").read_text() == "case\tsource\nphantom1\tphantoms\n"


@pytest.fixture
def judged(tmp_path: Path) -> Path:
    header = "case\tinput_id_rate_verse\tinput_dice\tinput_binary_dice\n"
    for name, first in (("siil-0", 0.2), ("siil-1", 0.6), ("unet-0", 0.5)):
        (tmp_path / name).mkdir()
        rows = f"a\t{first}\t0.1\t0.5\nb\t{first + 0.2}\t0.3\t0.7\n"
        (tmp_path / name / "scans.tsv").write_text(header + rows)
    return tmp_path


def test_the_table_has_means_over_scans_then_over_seeds(judged):
    lines = table(scores(judged)).splitlines()
    assert lines[2] == "| siil | 800 | 2 | 0.500 (0.300 to 0.700) | 0.200 (0.200 to 0.200) | 0.600 (0.600 to 0.600) |"
    assert lines[3].startswith("| unet | 1000 | 1 | 0.600 (0.600 to 0.600) |")
    assert len(lines) == 4


def test_the_figure_has_a_point_for_each_training(judged):
    axes = drawn(scores(judged)).axes
    assert [axis.get_title("left") for axis in axes] == ["identification", "Dice", "binary Dice"]
    assert [tuple(line.get_ydata()) for line in axes[0].lines] == [pytest.approx((0.3, 0.7)), pytest.approx((0.6,))]
