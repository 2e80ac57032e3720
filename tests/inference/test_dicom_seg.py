"""The DICOM-SEG refers to its source series and lies where the labels lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from siil.dicom import read_series, series_files
from siil.errors import InputError
from siil.grid import Volume
from siil.inference.dicom_seg import write_dicom_seg
from siil.provenance import RESEARCH_USE


def make_series(folder: Path, *, slices: int = 6, side: int = 16, whole: bool = True) -> None:
    """A CT series of noise with a bright block, slices stored in a shuffled order of names."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    study, series, frame = (generate_uid() for _ in range(3))
    for number in range(slices):
        image = pydicom.Dataset()
        image.file_meta = pydicom.dataset.FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = CTImageStorage
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        if whole:
            image.StudyInstanceUID, image.SeriesInstanceUID = study, series
        image.FrameOfReferenceUID = frame
        image.Modality, image.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.PatientName, image.PatientID = "Secret^Name", "SECRET-ID"
        image.SeriesNumber, image.InstanceNumber = 3, number + 1
        image.Rows = image.Columns = side
        image.PixelSpacing, image.SliceThickness = [2.0, 2.0], 5.0
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [-10, -20, 100 + 5.0 * number]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 1
        image.RescaleSlope, image.RescaleIntercept = 1, 0
        plane = generator.integers(-1000, 1200, (side, side)).astype(np.int16)
        image.PixelData = plane.tobytes()
        image.save_as(folder / f"IM{(number * 5) % slices:03d}_{number}", enforce_file_format=True)


@pytest.fixture
def series(tmp_path) -> Path:
    make_series(tmp_path / "series")
    return tmp_path / "series"


def labels(series: Path) -> Volume:
    scan = read_series(series)
    array = np.zeros(scan.grid.shape, np.uint8)
    array[1:3, 2:6, 3:5] = 20
    array[4, 8:12, 3:9] = 28
    return Volume(array, scan.grid)


def test_segments_lie_on_their_slices(series, tmp_path):
    import highdicom

    seg = labels(series)
    with series_files(series) as sources:
        assert write_dicom_seg(tmp_path / "x.dcm", seg, sources)
    made = highdicom.seg.segread(tmp_path / "x.dcm")
    assert [segment.SegmentLabel for segment in made.SegmentSequence] == ["L1", "T13"]
    assert [s.SegmentedPropertyTypeCodeSequence[0].CodeValue for s in made.SegmentSequence] == ["66794005", "51282000"]
    assert made.ContentDescription == RESEARCH_USE
    found = made.get_volume(combine_segments=False)
    for number, code in enumerate((20, 28)):
        places = np.argwhere(found.array[..., number])
        world = places @ found.affine[:3, :3].T + found.affine[:3, 3]
        expected = np.argwhere(seg.array == code)[:, ::-1] @ seg.grid.matrix[:3, :3].T + seg.grid.matrix[:3, 3]
        assert np.sort(world, axis=0) == pytest.approx(np.sort(expected, axis=0))


def test_nothing_is_written_without_a_vertebra(series, tmp_path):
    seg = labels(series)
    with series_files(series) as sources:
        assert not write_dicom_seg(tmp_path / "x.dcm", Volume(np.zeros_like(seg.array), seg.grid), sources)
    assert not (tmp_path / "x.dcm").exists()


def test_a_series_stripped_of_its_identity_is_refused(tmp_path):
    make_series(tmp_path / "series", whole=False)
    seg = labels(tmp_path / "series")
    with series_files(tmp_path / "series") as sources, pytest.raises(InputError, match="StudyInstanceUID"):
        write_dicom_seg(tmp_path / "x.dcm", seg, sources)
