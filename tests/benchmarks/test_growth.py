"""The figure of growth joins what is comparable and leaves out what was not measured."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from benchmarks import growth
from benchmarks.growth import growth_figure
from siil.errors import DatasetError

RUNS = pd.DataFrame(
    [
        ("shipped", 100, 4000, 0.80, 0.70),
        ("shipped", 400, 4000, 0.90, 0.75),
        ("shipped", 400, 16000, 0.97, np.nan),
        ("plain phantoms", 400, 4000, 0.60, 0.50),
    ],
    columns=["series", "phantoms", "steps", "id_rate", "dice"],
)


def lines(axis) -> list[tuple[list[float], list[float]]]:
    return [(line.get_xdata().tolist(), line.get_ydata().tolist()) for line in axis.lines]


def test_lines_join_runs_of_equal_steps_over_phantoms_and_of_equal_phantoms_over_steps() -> None:
    figure = growth_figure(RUNS)
    over_phantoms, over_steps = figure.axes[0], figure.axes[2]
    assert lines(over_phantoms) == [([100, 400], [0.8, 0.9]), ([400], [0.97]), ([400], [0.6])]
    assert lines(over_steps) == [([4000], [0.8]), ([4000, 16000], [0.9, 0.97]), ([4000], [0.6])]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["shipped", "plain phantoms"]


def test_an_absent_value_is_left_out_and_so_is_an_unmeasured_metric() -> None:
    figure = growth_figure(RUNS)
    assert len(figure.axes) == 4  # scans all right was not measured
    assert lines(figure.axes[1]) == [([100, 400], [0.7, 0.75]), ([400], [0.5])]


def test_nothing_measured_says_so_and_a_missing_column_is_named() -> None:
    words = [text.get_text() for text in growth_figure(RUNS.drop(columns=["id_rate", "dice"])).findobj(Text)]
    assert "No run was measured." in words
    with pytest.raises(DatasetError, match="'steps'"):
        growth_figure(RUNS.drop(columns="steps"))


def test_the_command_writes_both_files_and_refuses_what_is_no_table(tmp_path: Path, monkeypatch) -> None:
    RUNS.to_csv(tmp_path / "runs.tsv", sep="\t", index=False)
    monkeypatch.setattr(sys, "argv", ["growth", str(tmp_path / "runs.tsv"), "--output", str(tmp_path / "out")])
    growth.main()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"growth.png", "growth.pdf"}
    (tmp_path / "runs.tsv").write_text("nothing\n1\n")
    with pytest.raises(SystemExit, match=r"ERROR: .*runs\.tsv: table of runs: columns .* are missing"):
        growth.main()


def test_a_training_that_went_on_from_another_is_one_line() -> None:
    runs = pd.DataFrame(
        {"series": "parts", "phantoms": [100, 200, 300], "steps": [10, 20, 40], "dice": [0.5, 0.6, 0.7]}
    )
    for axis in growth_figure(runs).axes:
        assert [y for _, y in lines(axis)] == [[0.5, 0.6, 0.7]]


def test_a_series_without_the_first_metric_is_in_the_legend_too() -> None:
    runs = RUNS.assign(id_rate=[0.8, 0.9, 0.97, float("nan")])
    assert [t.get_text() for t in growth_figure(runs).legends[0].get_texts()] == ["shipped", "plain phantoms"]
