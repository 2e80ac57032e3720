"""Slices that do not make a stack are refused, each fault by its name."""

# ruff: noqa: F401, F811 (fixtures that come by import)
from __future__ import annotations

import numpy as np
import pytest

from siil.errors import InputError
from siil.scan import dicom
from tests.scan.dicom.test_series import plane, series, write_slice


def test_a_missing_slice_is_refused_with_its_place(series):
    next(series.rglob("*_97.dcm")).unlink()  # number 2
    with pytest.raises(InputError, match=r"every 5.00 mm, got 10.00 mm after slice 2 of 5; a slice is missing"):
        dicom.read_series(series)


def test_a_double_slice_is_refused(series):
    path = write_slice(series / "again", 3)
    assert path.is_file()
    with pytest.raises(InputError, match="expected one slice at each place, got two"):
        dicom.read_series(series)


@pytest.mark.parametrize("places", [[0, 2, 4, 6, 10, 14, 18], [0, 1, 3, 6, 10], [0, 2, 4.5, 7, 9, 11]])
def test_steps_that_vary_are_refused_as_such_and_no_slice_is_said_to_be_missing(tmp_path, places):
    for number, place in enumerate(places):
        write_slice(tmp_path, number, ImagePositionPatient=[-7, 3, place])
    with pytest.raises(InputError, match=r"slices at equal steps, got steps of .*; give a reconstruction") as caught:
        dicom.read_series(tmp_path)
    assert "missing" not in str(caught.value)
    assert "_Eq_1" in str(caught.value)


def test_a_gantry_tilt_is_refused_with_its_angle(tmp_path):
    for number in range(6):
        write_slice(tmp_path, number, ImagePositionPatient=[-7, 3 + 0.9 * number, 5 * number])
    with pytest.raises(InputError, match=r"gantry tilt of 10.2 degrees; convert with dcm2niix .* _Tilt_1"):
        dicom.read_series(tmp_path)


def test_slices_of_another_pixel_spacing_are_refused(series):
    write_slice(series / "deeper", 5, PixelSpacing=[2, 1.6])
    with pytest.raises(InputError, match=r"one pixel spacing in a series, got 2 x 1.5 to 2 x 1.6 mm"):
        dicom.read_series(series)


def test_a_pixel_spacing_that_differs_by_rounding_is_read(series):
    write_slice(series / "deeper", 5, PixelSpacing=[2, 1.5005])
    assert dicom.read_series(series).array.shape[0] == 6


def test_damaged_pixels_are_refused(series):
    write_slice(series / "deeper", 5, PixelData=b"\0" * 20)
    with pytest.raises(InputError, match=r"cannot decode .*_94\.dcm"):
        dicom.read_series(series)


def test_an_empty_rescale_is_as_none_at_all(tmp_path):
    for number in range(6):
        pixels = plane(number).tobytes()
        write_slice(tmp_path, number, RescaleSlope=None, RescaleIntercept=None, PixelRepresentation=1, PixelData=pixels)
    np.testing.assert_array_equal(dicom.read_series(tmp_path).array[2], plane(2))
