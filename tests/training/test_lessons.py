"""Lessons: the truth of an instance is the vertebra that it lies on, whatever it was named."""

from __future__ import annotations

import numpy as np
import pytest

from siil.anatomy import UNLABELLED
from siil.inference.crops import cut_crops
from siil.model.second_look import ANOTHER, NONE, THIS
from siil.scan.geometry import Geometry
from siil.scan.grid import Grid, Volume
from siil.scan.undo import SoftMap
from siil.training.lessons import count_lessons, make_lessons, read_lesson, write_lessons

GRID = Grid((48, 36, 36), (1.0, 1.0, 1.0))
WORKING = Geometry(GRID, Grid((16, 12, 12), (3.0,) * 3, (1.0, 1.0, 1.0)))


def box(code: int, first: int, last: int, probability: float = 1.0) -> SoftMap:
    """A block of the working grid over slices `first` to `last`."""
    return SoftMap(code, (first, 4, 4), np.full((last - first, 4, 4), probability, np.float32))


def truth(**slices: tuple[int, int]) -> Volume:
    """A mask with blocks of 12 x 12 voxels, `c20=(9, 21)`: code 20 in slices 9 to 20."""
    array = np.zeros(GRID.shape, np.uint8)
    for name, (first, last) in slices.items():
        array[first:last, 12:24, 12:24] = int(name[1:])
    return Volume(array, GRID)


def lessons(maps: list[SoftMap], mask: Volume):
    image = Volume(np.zeros(GRID.shape, np.int16), GRID)
    return list(make_lessons(cut_crops(image, maps, WORKING, spacing_mm=1, margin_mm=4), mask))


def test_an_instance_under_a_wrong_name_learns_the_vertebra_that_it_lies_on():
    [lesson] = lessons([box(19, 3, 7)], truth(c20=(9, 21), c21=(22, 34)))  # 9 to 21 mm, called T12
    assert (lesson.truth == THIS).sum() == 12**3
    assert (lesson.truth == ANOTHER).sum() == 12 * 12 * 4  # of L2: slices 22 to 25, as far as the margin shows it
    assert lesson.truth.shape == lesson.image.shape == lesson.own.shape
    assert set(np.unique(lesson.truth)) == {NONE, THIS, ANOTHER}


def test_what_lies_on_no_vertebra_and_the_lesser_of_two_teach_nothing():
    mask = truth(c20=(9, 21))
    assert not lessons([box(21, 10, 14)], mask)
    [kept] = lessons([box(20, 3, 6), box(21, 6, 7)], mask)
    assert (kept.own > 127).sum() == pytest.approx(9 * 144, rel=0.3)


def test_the_sacrum_is_none_and_what_nobody_annotated_stays_so():
    mask = truth(c24=(9, 21), c26=(22, 34))
    mask.array[21] = UNLABELLED
    [lesson] = lessons([box(24, 3, 7)], mask)
    assert not (lesson.truth == ANOTHER).any()
    assert (lesson.truth == UNLABELLED).sum() == lesson.truth[0].size


def test_between_thick_slices_that_differ_only_their_centres_teach():
    thick = Grid((12, 36, 36), (4.0, 1.0, 1.0), (0.0, 0.0, 1.5))
    array = np.zeros(thick.shape, np.uint8)
    array[3:5, 12:24, 12:24] = 20  # 12 to 20 mm
    image = Volume(np.zeros(thick.shape, np.int16), thick)
    geometry = Geometry(thick, WORKING.working)
    crops = cut_crops(image, [box(20, 4, 7)], geometry, spacing_mm=1, margin_mm=6)
    [lesson] = make_lessons(crops, Volume(array, thick))
    # slices 12 and 16 mm are the vertebra, 8 and 20 mm are not; the crop begins at 6 mm (12 - 1.5 + 1 - 6, rounded)
    middle = lesson.truth[:, lesson.truth.shape[1] // 2, lesson.truth.shape[2] // 2]
    first = int(np.flatnonzero(middle == THIS)[0])
    assert middle[first : first + 5].tolist() == [THIS] * 5  # 12 to 16 mm
    for way in (1, -1):
        beyond = middle[first + 5 :] if way == 1 else middle[:first][::-1]
        assert beyond[:4].tolist() == [UNLABELLED] * 3 + [NONE]
    assert (lesson.truth[first, :, :] != UNLABELLED).all()


def test_lessons_come_back_from_their_file_and_only_for_what_they_were_made_from(tmp_path):
    path = tmp_path / "case.npz"
    made = lessons([box(20, 3, 7), box(21, 8, 11)], truth(c20=(9, 21), c21=(22, 34)))
    assert count_lessons(path, digest="one") is None
    write_lessons(path, made, digest="one")
    assert count_lessons(path, digest="one") == 2
    assert count_lessons(path, digest="other") is None
    for number, lesson in enumerate(made):
        back = read_lesson(path, number)
        for name in ("image", "own", "others", "truth"):
            assert (getattr(back, name) == getattr(lesson, name)).all()
    path.write_bytes(path.read_bytes()[:200])
    assert count_lessons(path, digest="one") is None
