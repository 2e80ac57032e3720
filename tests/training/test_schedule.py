import pytest

from siil.training.schedule import Phase, Schedule, steps_per_epoch
from tests.training.doubles import make_settings


def test_phases_end_at_fractions_of_an_epoch() -> None:
    schedule = Schedule(make_settings(epochs=8, encoder_epochs=0.4, teacher_epochs=2.4), 100)
    assert [schedule.phase(step) for step in (0, 39, 40, 239, 240, 799)] == [
        Phase.ENCODER,
        Phase.ENCODER,
        Phase.TEACHER,
        Phase.TEACHER,
        Phase.PREDICTED,
        Phase.PREDICTED,
    ]
    assert Phase.ENCODER.teacher
    assert Phase.TEACHER.teacher
    assert not Phase.PREDICTED.teacher


def test_step_schedule_takes_five_percent_off_every_twenty_epochs() -> None:
    schedule = Schedule(make_settings(epochs=200, schedule="step", learning_rate=0.001), 10)
    assert schedule.learning_rate(0) == 0.001
    assert schedule.learning_rate(199) == 0.001
    assert schedule.learning_rate(200) == pytest.approx(0.00095)
    assert schedule.learning_rate(1999) == pytest.approx(0.001 * 0.95**9)


def test_cosine_schedule_falls_from_the_rate_over_its_half_towards_zero() -> None:
    schedule = Schedule(make_settings(epochs=4, schedule="cosine", learning_rate=0.002), 10)
    assert schedule.learning_rate(0) == 0.002
    assert schedule.learning_rate(20) == pytest.approx(0.001)
    assert 0 < schedule.learning_rate(39) < 0.00002


def test_validation_comes_every_nth_epoch_and_after_the_last() -> None:
    schedule = Schedule(make_settings(epochs=5, validate_every_epochs=2), 10)
    assert [done for done in range(1, 51) if schedule.validates(done)] == [20, 40, 50]


def test_an_epoch_is_two_patches_per_case_unless_configured() -> None:
    assert steps_per_epoch(make_settings(steps_per_epoch=None, batch_size=2), cases=7) == 7
    assert steps_per_epoch(make_settings(steps_per_epoch=None, batch_size=4), cases=7) == 4
    assert steps_per_epoch(make_settings(steps_per_epoch=100), cases=7) == 100
