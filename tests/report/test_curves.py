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


def test_no_history_says_so() -> None:
    assert "No training history" in training_curves(pd.DataFrame()).texts[0].get_text()
