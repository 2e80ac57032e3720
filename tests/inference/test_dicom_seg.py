"""The DICOM-SEG refers to its source series and lies where the labels lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from siil.errors import InputError
from siil.inference.dicom_seg import rename_segments, write_dicom_seg
from siil.run.provenance import RESEARCH_USE
from siil.scan.dicom import read_series, series_files
from siil.scan.grid import Volume


def make_series(
    folder: Path,
    array: np.ndarray | None = None,
    *,
    step_mm: float = 5.0,
    pixel_mm: float = 2.0,
    whole: bool = True,
    cosines: tuple[float, ...] = (1, 0, 0, 0, 1, 0),
) -> None:
    """A CT series of `array` (int16 HU; noise without one), in LPS by default, slices in a shuffled order of names."""
    folder.mkdir(parents=True)
    if array is None:
        array = np.random.default_rng(0).integers(-1000, 1200, (6, 16, 16)).astype(np.int16)
    slices, rows, columns = array.shape
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
        image.Rows, image.Columns = rows, columns
        image.PixelSpacing, image.SliceThickness = [pixel_mm, pixel_mm], step_mm
        image.ImageOrientationPatient = list(cosines)
        image.ImagePositionPatient = [-10, -20, 100 + step_mm * number]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 1
        image.RescaleSlope, image.RescaleIntercept = 1, 0
        image.PixelData = array[number].tobytes()
        image.save_as(folder / f"IM{(number * 5) % slices:03d}_{number}", enforce_file_format=True)


def change(series: Path, **values: object) -> None:
    """Write other values (None: no such tag) into every header, whether the standard allows them or not."""
    settings = pydicom.config.settings
    before = settings.reading_validation_mode
    settings.reading_validation_mode = pydicom.config.IGNORE
    for path in series.iterdir():
        image = pydicom.dcmread(path)
        for name, value in values.items():
            if value is None:
                delattr(image, name)
            else:
                setattr(image, name, value)
        image.save_as(path)
    settings.reading_validation_mode = before


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PatientBirthDate", "00000000"),
        ("PatientBirthDate", "ANON"),
        ("PatientSex", "X"),
        ("PatientSex", "MALE"),
        ("StudyDate", "2020-01-01"),
        ("StudyTime", "12:00:00"),
    ],
)
def test_a_tag_that_breaks_the_standard_is_left_empty(series, tmp_path, name, value):
    change(series, **{name: value})
    with series_files(series) as sources:
        assert write_dicom_seg(tmp_path / "x.dcm", labels(series), sources)
    made = pydicom.dcmread(tmp_path / "x.dcm")
    assert not made[name].value
    assert made.PatientID == "SECRET-ID"


def test_a_tag_that_keeps_the_standard_is_kept(series, tmp_path):
    change(series, PatientBirthDate="19701231", PatientSex="F", StudyDate="20200101", StudyTime="120000.5")
    with series_files(series) as sources:
        assert write_dicom_seg(tmp_path / "x.dcm", labels(series), sources)
    made = pydicom.dcmread(tmp_path / "x.dcm")
    kept = [str(made[name].value) for name in ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime")]
    assert kept == ["19701231", "F", "20200101", "120000.5"]


@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_thickness_is_the_step_between_slices(series, tmp_path, value):
    change(series, SliceThickness=value)
    with series_files(series) as sources:
        assert write_dicom_seg(tmp_path / "x.dcm", labels(series), sources)
    measures = pydicom.dcmread(tmp_path / "x.dcm").SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert float(measures.SliceThickness) == 5.0


def test_cosines_that_jitter_become_those_of_the_first_slice(series, tmp_path):
    path = next(path for path in series.iterdir() if path.name.endswith("_3"))
    image = pydicom.dcmread(path)
    image.ImageOrientationPatient = [1, 5e-4, 0, -5e-4, 1, 0]
    image.save_as(path)
    with series_files(series) as sources:
        assert write_dicom_seg(tmp_path / "x.dcm", labels(series), sources)
    groups = pydicom.dcmread(tmp_path / "x.dcm").SharedFunctionalGroupsSequence[0]
    assert list(groups.PlaneOrientationSequence[0].ImageOrientationPatient) == [1, 0, 0, 0, 1, 0]


def test_highdicom_gets_one_array_however_many_vertebrae(series, tmp_path, monkeypatch):
    import highdicom

    given = []
    real = highdicom.seg.Segmentation
    monkeypatch.setattr(
        highdicom.seg, "Segmentation", lambda **words: given.append(words["pixel_array"]) or real(**words)
    )
    seg = labels(series)
    with series_files(series) as sources:
        assert write_dicom_seg(tmp_path / "x.dcm", seg, sources)
    assert given[0].shape == seg.array.shape
    assert given[0].dtype == np.uint8


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


def test_segments_under_other_names_keep_their_frames_and_their_patient(series, tmp_path):
    with series_files(series) as sources:
        assert write_dicom_seg(tmp_path / "x.dcm", labels(series), sources)
    rename_segments(tmp_path / "x.dcm", tmp_path / "y.dcm", {"L1": "T12", "T13": "T13"})
    old, new = (pydicom.dcmread(tmp_path / name) for name in ("x.dcm", "y.dcm"))
    assert [segment.SegmentLabel for segment in new.SegmentSequence] == ["T12", "T13"]
    assert [segment.SegmentNumber for segment in new.SegmentSequence] == [1, 2]
    assert [s.SegmentedPropertyTypeCodeSequence[0].CodeValue for s in new.SegmentSequence] == ["23215003", "51282000"]
    assert [segment.SegmentAlgorithmType for segment in new.SegmentSequence] == ["SEMIAUTOMATIC", "AUTOMATIC"]
    kept = ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID", "ReferencedSeriesSequence")
    assert all(old[name].value == new[name].value for name in (*kept, "PerFrameFunctionalGroupsSequence", "PixelData"))
    assert all(old[name].value != new[name].value for name in ("SOPInstanceUID", "SeriesInstanceUID"))
    assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID


def test_segments_of_other_vertebrae_or_of_no_dicom_are_refused(series, tmp_path):
    with series_files(series) as sources:
        assert write_dicom_seg(tmp_path / "x.dcm", labels(series), sources)
    with pytest.raises(InputError, match="expected the segments L1, L2, got L1, T13"):
        rename_segments(tmp_path / "x.dcm", tmp_path / "y.dcm", {"L1": "T12", "L2": "L1"})
    (tmp_path / "z.dcm").write_bytes(b"no object")
    with pytest.raises(InputError, match="expected a DICOM-SEG of predict"):
        rename_segments(tmp_path / "z.dcm", tmp_path / "y.dcm", {"L1": "T12"})
    assert not (tmp_path / "y.dcm").exists()
