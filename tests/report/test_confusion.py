import pandas as pd

from siil.report.confusion import NONE, confusion, confusion_counts
from siil.report.results import Results


def _rows(*rows: tuple[str, bool, bool, str]) -> pd.DataFrame:
    names = ["label", "truth", "predicted", "nearest_label"]
    return pd.DataFrame(rows, columns=names).assign(repeat=0, fold=0, case="a", model="siil", space="work")


def test_a_prediction_counts_in_the_row_of_the_vertebra_that_it_covers() -> None:
    counts = confusion_counts(_rows(("L1", True, True, "L1"), ("L2", True, True, "L1"), ("L3", True, False, "")))
    assert counts.loc["L1", "L1"] == 1
    assert counts.loc["L1", "L2"] == 1
    assert counts.loc["L2", NONE] == 1  # nobody's nearest, though a prediction bears its name
    assert counts.loc["L3", NONE] == 1
    assert counts.to_numpy().sum() == 4


def test_an_invented_vertebra_that_covers_nothing_counts_in_the_row_none() -> None:
    counts = confusion_counts(_rows(("T12", False, True, "")))
    assert counts.loc[NONE, "T12"] == 1


def test_levels_stand_in_anatomical_order_with_t13_between_t12_and_l1() -> None:
    counts = confusion_counts(_rows(("L1", True, True, "L1"), ("T13", True, True, "T13"), ("T12", True, True, "T12")))
    assert list(counts.columns) == ["T12", "T13", "L1", NONE]


def test_one_matrix_per_model_says_the_share_called_right(results: Results) -> None:
    titles = [axis.get_title(loc="left") for axis in confusion(results.vertebrae, models=results.models).axes]
    assert titles == ["siil: 58% of 12 called right", "unet: 58% of 12 called right"]


def test_repeats_are_averaged(results: Results, repeated: Results) -> None:
    once, twice = (confusion(found.vertebrae, models=("siil",)).axes[0] for found in (results, repeated))
    assert twice.get_title(loc="left") == once.get_title(loc="left")
    assert [text.get_text() for text in twice.texts] == [text.get_text() for text in once.texts]


def test_a_vertebra_missed_in_one_of_two_trainings_is_half_a_miss() -> None:
    rows = _rows(("L1", True, True, "L1"), ("L1", True, False, "")).assign(repeat=[0, 1])
    assert confusion_counts(rows).loc["L1"].to_dict() == {"L1": 1, NONE: 1}
    axis = confusion(rows, models=["siil"]).axes[0]
    assert [text.get_text() for text in axis.texts] == ["0.5", "0.5"]
    assert axis.get_title(loc="left") == "siil: 50% of 1 called right"
