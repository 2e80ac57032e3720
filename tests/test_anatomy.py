"""The one table of vertebrae."""

from __future__ import annotations

import numpy as np
import pytest

from siil.anatomy import (
    BY_CODE,
    BY_NAME,
    CLASSES,
    ORDER_DISTANCE,
    RIB,
    RIB_CODE,
    SACRUM,
    SACRUM_CODE,
    UNLABELLED,
    UNSOUGHT,
    VERTEBRAE,
    codes_to_indices,
    indices_to_codes,
    training_indices,
    without_unlabelled,
)
from siil.errors import InputError


def test_labels_that_train_tell_sacrum_and_ribs_apart_from_background() -> None:
    codes = np.array([0, 19, SACRUM_CODE, 27, RIB_CODE, UNLABELLED], np.uint8)
    assert codes_to_indices(codes).tolist() == [0, 19, 0, 0, 0, UNLABELLED]
    assert training_indices(codes).tolist() == [0, 19, SACRUM, 0, RIB, UNLABELLED]
    assert indices_to_codes(training_indices(codes)).tolist() == [0, 19, SACRUM_CODE, 0, RIB_CODE, UNLABELLED]
    assert indices_to_codes(np.array(list(UNSOUGHT.values()), np.uint8)).tolist() == [0, 0, 0]
    assert without_unlabelled(training_indices(codes)).tolist() == [0, 19, 0, 0, 0, 0]


def test_there_are_26_vertebrae_in_anatomical_order_with_t13_between_t12_and_l1():
    names = [vertebra.name for vertebra in VERTEBRAE]
    assert CLASSES == 27
    assert names[:3] == ["C1", "C2", "C3"]
    assert names[17:22] == ["T11", "T12", "T13", "L1", "L2"]
    assert names[-1] == "L6"
    assert [vertebra.index for vertebra in VERTEBRAE] == list(range(1, 27))


@pytest.mark.parametrize(
    ("name", "code"), [("C1", 1), ("C7", 7), ("T1", 8), ("T12", 19), ("L1", 20), ("L6", 25), ("T13", 28)]
)
def test_codes_are_those_of_verse(name, code):
    assert BY_NAME[name].code == code
    assert BY_CODE[code].name == name


def test_codes_go_to_indices_and_back():
    codes = np.array([0, 1, 7, 8, 19, 28, 20, 25], np.uint8)
    assert codes_to_indices(codes).tolist() == [0, 1, 7, 8, 19, 20, 21, 26]
    np.testing.assert_array_equal(indices_to_codes(codes_to_indices(codes)), codes)


def test_float_masks_are_rounded_and_sacrum_and_coccyx_become_background():
    assert codes_to_indices(np.array([19.0000001, 26.0, 27.0])).tolist() == [19, 0, 0]


@pytest.mark.parametrize("label", [-1, 29, 253, 256, 1000])
def test_a_label_outside_the_table_is_refused_by_name(label):
    with pytest.raises(InputError, match=str(label)):
        codes_to_indices(np.array([0, 1, label]))


def test_neighbours_are_one_apart_whether_or_not_t13_lies_between():
    index = {vertebra.name: vertebra.index for vertebra in VERTEBRAE}
    assert ORDER_DISTANCE[index["T12"], index["L1"]] == 1
    assert ORDER_DISTANCE[index["T13"], index["T12"]] == 1
    assert ORDER_DISTANCE[index["T13"], index["L1"]] == 1
    assert ORDER_DISTANCE[index["T11"], index["L2"]] == 3
    assert ORDER_DISTANCE[index["T13"], index["L3"]] == 3
    np.testing.assert_array_equal(ORDER_DISTANCE, ORDER_DISTANCE.T)


def test_colours_differ():
    assert len({vertebra.colour for vertebra in VERTEBRAE}) == 26


def test_what_nobody_annotated_is_255_in_codes_and_indices_and_no_class():
    codes = np.array([[0, 19], [UNLABELLED, 255]], np.uint8)
    assert codes_to_indices(codes).tolist() == [[0, 19], [255, 255]]
    assert indices_to_codes(codes_to_indices(codes)).tolist() == codes.tolist()
    assert without_unlabelled(codes).tolist() == [[0, 19], [0, 0]]
    assert without_unlabelled(codes).dtype == np.uint8
    assert UNLABELLED not in BY_CODE
