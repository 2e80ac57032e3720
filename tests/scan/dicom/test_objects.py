"""A file is read without preamble and meta header too, and a tag that a slice lacks is named."""

# ruff: noqa: F401, F811 (fixtures that come by import)
from __future__ import annotations

import numpy as np
import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from siil.scan import dicom
from tests.scan.dicom.test_choosing import refused, series
from tests.scan.dicom.test_series import plane, write_slice


def test_files_without_preamble_are_read(series):
    plain = dicom.read_series(series)
    for path in series.iterdir():
        content = path.read_bytes()
        path.write_bytes(content[content.index(b"\x08\x00\x08\x00") :])  # from ImageType on: neither preamble nor meta
    read = dicom.read_series(series)
    np.testing.assert_array_equal(read.array, plain.array)
    assert read.grid == plain.grid
    for path in series.iterdir():
        header = dicom.read_header(path, pixels=True)
        header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        header.save_as(path, enforce_file_format=False)
        assert path.read_bytes().startswith(b"\x02\x00")  # no preamble, and what is left of the meta header
    np.testing.assert_array_equal(dicom.read_series(series).array, plain.array)
    for path in series.iterdir():
        content = path.read_bytes()
        path.write_bytes(content[content.index(b"\x08\x00\x08\x00") :])
    np.testing.assert_array_equal(dicom.read_series(series).array, plain.array)


def test_compressed_files_without_preamble_are_read(tmp_path):
    for number in range(4):
        path = write_slice(tmp_path, number, syntax=RLELossless)
        content = path.read_bytes()
        path.write_bytes(content[content.index(b"\x08\x00\x08\x00") :])
    np.testing.assert_array_equal(dicom.read_series(tmp_path).array[2], plane(2))


def test_a_real_series_in_jpeg_2000_is_read_without_its_preambles(real_data, tmp_path):
    for path in (real_data / "ts-dicom/dicom").iterdir():
        content = path.read_bytes()
        (tmp_path / path.name).write_bytes(content[content.index(b"\x08\x00\x05\x00") :])
    read, whole = dicom.read_series(tmp_path), dicom.read_series(real_data / "ts-dicom/dicom")
    np.testing.assert_array_equal(read.array, whole.array)


@pytest.mark.parametrize("bare", ["first", "last"])
def test_one_slice_without_preamble_is_read_with_the_others(series, bare):
    path = sorted(series.iterdir())[0 if bare == "first" else -1]
    content = path.read_bytes()
    path.write_bytes(content[content.index(b"\x08\x00\x08\x00") :])
    assert dicom.read_series(series).array.shape[0] == 6


@pytest.mark.parametrize("tag", ["PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "Rows", "Columns"])
def test_a_series_that_lacks_a_tag_is_refused_with_its_name(series, tag):
    for path in series.iterdir():
        header = pydicom.dcmread(path)
        delattr(header, tag)
        header.save_as(path)
    assert f"got CT slice without {tag} (6); export the series again" in refused(series)
