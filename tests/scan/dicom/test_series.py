"""DICOM series: made here slice by slice, with every fault that scanners and exports have."""

from __future__ import annotations

import logging
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RLELossless, generate_uid

from siil.errors import InputError
from siil.scan import dicom, volume

PATIENT = "SECRET^NAME"
SERIES, STUDY = generate_uid(), "1.2.3"


def plane(number: int) -> np.ndarray:
    made = np.random.default_rng(number).integers(-150, 300, (10, 12)).astype(np.int16)
    made[:3] = -1000
    return made


def write_slice(
    folder: Path, number: int, *, series: str = SERIES, syntax: str = ExplicitVRLittleEndian, **changes
) -> Path:
    """One axial slice of 12 x 10 pixels at z = 5 * number, 2 mm (rows) x 1.5 mm (columns) a pixel, stored + 1024."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = changes.get("SOPClassUID", CTImageStorage)
    meta.MediaStorageSOPInstanceUID = generate_uid()
    made = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    made.PatientName, made.PatientID, made.Modality = PATIENT, PATIENT, "CT"
    made.StudyInstanceUID, made.FrameOfReferenceUID = STUDY, STUDY + ".1"
    made.SeriesInstanceUID, made.ImageType = series, ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.ImageOrientationPatient, made.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-7, 3, 5 * number]
    made.PixelSpacing, made.RescaleSlope, made.RescaleIntercept = [2, 1.5], 1, -1024
    made.Rows, made.Columns, made.SamplesPerPixel, made.PhotometricInterpretation = 10, 12, 1, "MONOCHROME2"
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.PixelData = (plane(number) + 1024).astype(np.uint16).tobytes()
    for name, value in changes.items():
        setattr(made, name, value)
    if syntax != ExplicitVRLittleEndian:
        made.compress(syntax)
    path = folder / f"{series[-4:]}_{99 - number:02}.dcm"  # names in the opposite order
    folder.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def series(tmp_path) -> Path:
    for number in range(6):
        write_slice(tmp_path / "scan/deeper", number)
    return tmp_path / "scan"


def test_a_series_becomes_hu_on_its_grid_whatever_the_order_of_its_files(series):
    read = dicom.read_series(series)
    np.testing.assert_array_equal(read.array, np.stack([plane(number) for number in range(6)]))
    assert read.array.dtype == np.int16
    assert read.grid.spacing_mm == (5.0, 2.0, 1.5)
    assert read.grid.origin_mm == (-7.0, 3.0, 0.0)
    assert read.grid.orientation == "LPS"
    assert read.repairs == ()


def test_a_zip_and_a_compressed_series_are_read_alike(series, tmp_path):
    with zipfile.ZipFile(tmp_path / "scan.zip", "w") as packed:
        for path in series.rglob("*.dcm"):
            packed.write(path, path.name)
    for number in range(6):
        write_slice(tmp_path / "rle", number, syntax=RLELossless)
    plain = dicom.read_series(series)
    for other in (tmp_path / "scan.zip", tmp_path / "rle"):
        read = dicom.read_series(other)
        assert read.grid == plain.grid
        np.testing.assert_array_equal(read.array, plain.array)


def test_a_coronal_series_keeps_its_place(tmp_path):
    for number in range(6):
        write_slice(
            tmp_path, number, ImageOrientationPatient=[1, 0, 0, 0, 0, -1], ImagePositionPatient=[-7, 4 * number, 50]
        )
    read = dicom.read_series(tmp_path)
    assert read.grid.orientation == "LIP"
    assert read.grid.spacing_mm == (4.0, 2.0, 1.5)
    np.testing.assert_array_equal(read.array[5], plane(5))


def test_slices_whose_cosines_jitter_are_one_series(tmp_path):
    for number in range(6):
        off = 5.1e-4 if number % 2 else 4.9e-4
        write_slice(tmp_path, number, ImageOrientationPatient=[1, off, 0, -off, 1, 0])
    read = dicom.read_series(tmp_path)
    assert read.array.shape == (6, 10, 12)
    assert not any(repair.startswith("other_series") for repair in read.repairs)


def test_slices_of_another_direction_are_another_stack(series):
    for number in range(3):
        turned = {"ImageOrientationPatient": [1, 0, 0, 0, 0, -1], "ImagePositionPatient": [-7, 4 * number, 50]}
        write_slice(series / "coronal", number, **turned)
    read = dicom.read_series(series)
    assert read.array.shape[0] == 6
    assert read.repairs[0].startswith("other_series")


def test_a_forgotten_intercept_is_mended_and_said(tmp_path):
    for number in range(6):
        write_slice(tmp_path, number, RescaleIntercept=0)
    read = dicom.read_series(tmp_path)
    assert [repair.split(":")[0] for repair in read.repairs] == ["offset_1024"]
    np.testing.assert_array_equal(read.array[0], plane(0))


def test_no_series_at_all_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere", tmp_path / "no.zip"):
        with pytest.raises(InputError):
            dicom.read_series(folder)


def test_a_zip_with_a_member_outside_and_a_link_out_of_the_folder_are_refused(series, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr("../out.dcm", "x")
    with pytest.raises(InputError, match="leads out"):
        dicom.read_series(tmp_path / "a.zip")
    outside = write_slice(tmp_path / "outside", 7)
    (series / "link.dcm").symlink_to(outside)
    with pytest.raises(InputError, match="link that leads out"):
        dicom.read_series(series)


def test_no_patient_identifier_is_said(series, caplog, capsys):
    write_slice(series, 42, series=generate_uid(), PatientComments="born as " + PATIENT)
    write_slice(series, 43, ImagePositionPatient=[-7, 3, 999])
    with caplog.at_level(logging.DEBUG), pytest.raises(InputError) as caught:
        dicom.read_series(series)
    said = caplog.text + "".join(capsys.readouterr()) + str(caught.value)
    assert "SECRET" not in said
    assert pydicom.config.settings.reading_validation_mode != pydicom.config.IGNORE


def test_the_real_series_lies_under_its_mask(real_data):
    read = dicom.read_series(real_data / "ts-dicom/dicom")
    mask = volume.match_mask(read.grid, volume.read_mask(real_data / "ts-dicom/msk.nii.gz"), "mask")
    assert read.array.shape == (20, 512, 512)
    assert read.array[mask.array > 0].mean() > 150
