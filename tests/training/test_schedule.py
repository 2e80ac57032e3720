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


def in_rounds() -> Schedule:
    """Three epochs at 0.004, then two at 0.001, of ten steps each."""
    rounds = [
        {"epochs": 3, "learning_rate": 0.004, "shares": {}},
        {"epochs": 2, "learning_rate": 0.001, "shares": {"a": 0.25, "b": 0.75}},
    ]
    settings = make_settings(rounds=rounds, epochs=99, learning_rate=9, schedule="cosine", validate_every_epochs=9)
    return Schedule(settings, 10)


def test_rounds_take_the_place_of_epochs_and_rate_and_each_begins_its_own_cosine() -> None:
    schedule = in_rounds()
    assert schedule.steps == 50
    assert [schedule.round(step) for step in (0, 29, 30, 49)] == [0, 0, 1, 1]
    assert schedule.learning_rate(0) == 0.004
    assert schedule.learning_rate(15) == pytest.approx(0.002)
    assert schedule.learning_rate(30) == 0.001
    assert schedule.learning_rate(40) == pytest.approx(0.0005)


def test_each_round_ends_with_a_validation_and_the_last_alone_decides() -> None:
    schedule = in_rounds()
    assert [done for done in range(1, 51) if schedule.validates(done)] == [30, 50]
    assert [schedule.decides(done) for done in (10, 30, 31, 50)] == [False, False, True, True]


def test_shares_are_those_of_the_round() -> None:
    assert in_rounds().shares(29) == {}
    assert in_rounds().shares(30) == {"a": 0.25, "b": 0.75}
