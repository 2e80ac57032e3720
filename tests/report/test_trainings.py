"""What the trainings cost, by hand."""

from __future__ import annotations

from siil.report.trainings import trainings
from tests.report.rows_by_hand import history


def test_steps_and_time_are_means_over_the_trainings_of_a_model() -> None:
    table = trainings(history("siil", "unet"))
    # two folds: 100 steps in 110 s, 200 steps in 160 s with their validations
    assert table.rows[0] == ("siil", "2", "150", "2.2", "0.900")
    assert [row[0] for row in table.rows] == ["siil", "unet"]
