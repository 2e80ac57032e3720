import pandas as pd
import pytest

from siil.config import resolve
from siil.report.results import Results
from siil.report.scores import ceiling, comparison, dice_box, per_vertebra, truth_rows
from siil.report.style import SPACE_NAMES

SETTINGS = resolve("demo").report


def _rows() -> pd.DataFrame:
    rows = [
        {"label": "L1", "truth": True, "predicted": True, "dice": 0.8, "hit_verse": True, "patient": "p1"},
        {"label": "L1", "truth": True, "predicted": False, "dice": None, "hit_verse": False, "patient": "p2"},
        {"label": "T12", "truth": False, "predicted": True, "dice": None, "hit_verse": None, "patient": "p2"},
    ]
    return pd.DataFrame(rows).assign(model="siil", repeat=0, fold=0, space="work", case="a").convert_dtypes()


def test_a_missed_vertebra_counts_zero_and_an_invented_one_does_not_count() -> None:
    rows = truth_rows(_rows(), model="siil", space="work")
    assert list(rows["dice"]) == [0.8, 0.0]
    assert list(rows["region"]) == ["L", "L"]


def test_the_bar_of_a_level_is_the_mean_over_its_vertebrae() -> None:
    upper, lower = per_vertebra(_rows(), models=["siil"], settings=SETTINGS).axes
    assert [bar.get_height() for bar in upper.patches] == [pytest.approx(0.4)]
    assert [bar.get_height() for bar in lower.patches] == [pytest.approx(0.5)]
    assert [tick.get_text() for tick in lower.get_xticklabels()] == ["L1\n2"]


def test_the_comparison_writes_the_mean_of_each_model(results: Results) -> None:
    figure = comparison(results.scans, models=results.models, settings=SETTINGS)
    first = figure.axes[0]
    work = results.scans[results.scans["space"] == "work"].groupby("model")["dice"].mean()
    assert [text.get_text() for text in first.texts] == [f"{work['siil']:.3f}", f"{work['unet']:.3f}"]


def test_boxes_show_every_space_of_every_model(results: Results) -> None:
    figure = dice_box(results.vertebrae, models=results.models)
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["siil", "unet"]
    assert len(figure.legends[0].get_texts()) == 4


def test_the_legend_lies_on_the_page_however_many_spaces_and_models_there_are() -> None:
    rows = pd.concat([_rows().assign(space=space) for space in SPACE_NAMES])
    many = [f"network_number_{n}" for n in range(9)]
    more = pd.concat([_rows().assign(model=model) for model in many])
    for figure in (dice_box(rows, models=["siil"]), per_vertebra(more, models=many, settings=SETTINGS)):
        figure.draw_without_rendering()
        left, right = figure.legends[0].get_window_extent().intervalx
        assert left >= 0
        assert right <= figure.get_figwidth() * figure.dpi


def test_the_ceiling_pairs_each_vertebra_with_its_own_ceiling(results: Results) -> None:
    axis = ceiling(results.vertebrae, model="siil").axes[0]
    points = [tuple(point) for dots in axis.collections for point in dots.get_offsets()]
    assert len(points) == 12
    assert all(x == pytest.approx(0.92) for x, _ in points)


def test_without_scores_on_the_inputs_grid_the_figure_says_so() -> None:
    assert "input_grid" in ceiling(_rows(), model="siil").texts[0].get_text()


def test_without_any_row_figures_say_so() -> None:
    empty = _rows().head(0)
    assert "No vertebra" in dice_box(empty, models=["siil"]).texts[0].get_text()
    assert "No vertebra" in per_vertebra(empty, models=["siil"], settings=SETTINGS).texts[0].get_text()


def test_counts_of_repeats_are_those_of_one_training(results: Results, repeated: Results) -> None:
    for draw in (dice_box, lambda rows, models: per_vertebra(rows, models=models, settings=SETTINGS)):
        once, twice = (draw(found.vertebrae, models=("siil",)).axes[-1] for found in (results, repeated))
        labels = [[text.get_text() for text in axis.get_xticklabels()] for axis in (once, twice)]
        assert labels[0] == labels[1]


def test_the_dots_of_repeats_are_scans_and_each_has_its_own_ceiling(repeated: Results) -> None:
    axis = comparison(repeated.scans, models=("siil",), settings=SETTINGS).axes[0]
    assert [len(dots.get_offsets()) for dots in axis.collections] == [3]
    dots = ceiling(repeated.vertebrae, model="siil").axes[0].collections
    assert sum(len(points.get_offsets()) for points in dots) == 2 * 12
