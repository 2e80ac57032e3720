import pandas as pd

from siil.report.curves import training_curves
from siil.report.results import Results


def test_a_row_per_model_a_line_per_fold_and_only_terms_that_are_on(results: Results) -> None:
    figure = training_curves(results.history)
    assert len(figure.axes) == 6
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["fold 0", "fold 1"]
    terms = [[text.get_text() for text in figure.axes[i].get_legend().get_texts()] for i in (1, 4)]
    assert terms == [["spine", "vertebrae", "localisation"], ["spine", "vertebrae"]]


def test_training_without_validation_is_drawn(results: Results) -> None:
    figure = training_curves(results.history[results.history["phase"] == "train"])
    assert "no validation" in [text.get_text() for text in figure.axes[2].texts]
    assert len(figure.axes[2].get_xticks()) == 0


def test_no_history_says_so() -> None:
    assert "No training history" in training_curves(pd.DataFrame()).texts[0].get_text()


def test_repeats_are_lines_of_one_colour_with_one_name(results: Results, repeated: Results) -> None:
    once, twice = (training_curves(found.history).axes for found in (results, repeated))
    for panel in (0, 2):
        drawn = [[line for line in axes[panel].lines if len(line.get_xdata())] for axes in (once, twice)]
        assert len(drawn[1]) == 2 * len(drawn[0])
        assert all((line.get_xdata()[1:] > line.get_xdata()[:-1]).all() for line in drawn[1])  # no way back
        assert {line.get_color() for line in drawn[1]} == {line.get_color() for line in drawn[0]}
    assert [text.get_text() for text in twice[0].get_legend().get_texts()] == ["fold 0", "fold 1"]
    assert twice[1].get_title(loc="left") == "loss terms, mean of trainings"
