import numpy as np

from siil.training.seed import Stream, generator, integer


def test_the_same_counters_give_the_same_numbers_whatever_was_drawn_before() -> None:
    first = generator(7, Stream.CENTRE, 3, 1).random(4)
    generator(7, Stream.CENTRE, 2, 1).random(100)
    np.testing.assert_array_equal(first, generator(7, Stream.CENTRE, 3, 1).random(4))


def test_streams_counters_and_seeds_are_independent() -> None:
    draws = [
        generator(7, Stream.CENTRE, 3, 1).random(),
        generator(7, Stream.AUGMENT, 3, 1).random(),
        generator(7, Stream.CENTRE, 1, 3).random(),
        generator(8, Stream.CENTRE, 3, 1).random(),
    ]
    assert len(set(draws)) == 4


def test_an_integer_seed_fits_32_bits_and_is_fixed() -> None:
    assert 0 <= integer(0, Stream.WEIGHTS) < 2**32
    assert integer(0, Stream.WEIGHTS) == integer(0, Stream.WEIGHTS) != integer(1, Stream.WEIGHTS)
