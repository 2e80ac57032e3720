"""Which series of a folder is read: what is set aside is counted, and nothing is chosen between patients or studies."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    MRImageStorage,
    MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    RTDoseStorage,
    RTPlanStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
    generate_uid,
)

from siil.errors import InputError
from siil.scan import dicom
from tests.scan.dicom.test_series import PATIENT, plane, write_slice


def write_series(folder: Path, count: int = 6, series: str = "1.2.3.4", **changes) -> Path:
    for number in range(count):
        write_slice(folder, number, series=series, **changes)
    return folder


def write_other(folder: Path, name: str, kind: str, **changes) -> Path:
    """An object that is no slice: without place, several frames where the class has them."""
    path = write_slice(folder, 0, series=generate_uid(), SOPClassUID=kind, Modality=name[:2].upper(), **changes)
    header = pydicom.dcmread(path)
    for tag in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(header, tag)
    path.unlink()
    header.save_as(folder / f"{name}.dcm")
    return folder / f"{name}.dcm"


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        dicom.read_series(folder)
    line = str(caught.value)
    assert line.startswith(str(folder))
    assert "\n" not in line
    assert PATIENT not in line
    return line


@pytest.fixture
def series(tmp_path) -> Path:
    return write_series(tmp_path / "scan")


OTHERS = {
    "rtstruct": (RTStructureSetStorage, {}, "RT Structure Set"),
    "rtplan": (RTPlanStorage, {}, "RT Plan"),
    "rtdose": (RTDoseStorage, {"NumberOfFrames": 6}, "RT Dose"),
    "seg": (SegmentationStorage, {"NumberOfFrames": 9}, "Segmentation"),
    "ot": (MultiFrameGrayscaleWordSecondaryCaptureImageStorage, {"NumberOfFrames": 4}, "Multi-frame Grayscale Word"),
    "sc": (SecondaryCaptureImageStorage, {}, "Secondary Capture"),
    "mr": (MRImageStorage, {}, "MR"),
    "ct": (EnhancedCTImageStorage, {"NumberOfFrames": 4}, "enhanced CT in one file"),
    "ct-frames": (CTImageStorage, {"NumberOfFrames": 4}, "CT with several frames in one file"),
    "private": ("1.2.840.113619.4.30", {}, "private object"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_ct_slice_is_set_aside_and_counted_by_what_it_is(series, name):
    kind, changes, told = OTHERS[name]
    write_other(series, name, kind, **changes)
    read = dicom.read_series(series)
    assert read.array.shape == (6, 10, 12)
    (said,) = read.repairs
    assert said.startswith(f"set_aside: expected a CT series alone, got {told}")
    assert "(1)" in said


def test_all_that_is_set_aside_stands_in_one_line(series):
    for name, (kind, changes, _) in OTHERS.items():
        write_other(series, name, kind, **changes)
    for number in range(2):
        write_slice(series, 40 + number, series="1.2.9", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    (series / "readme.txt").write_text("hello")
    (series / "DICOMDIR").write_bytes(b"x")
    (series / "._1_94.dcm").write_bytes(b"what a Mac leaves in zips")
    (said,) = dicom.read_series(series).repairs
    assert "localizer (2)" in said
    assert "file that is no DICOM (1)" in said
    assert said.count("(1)") == len(OTHERS) + 1


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("seg", "the CT series that it belongs to"),
        ("rtstruct", "the CT series that it belongs to"),
        ("mr", "CT alone"),
        ("sc", "pictures, not Hounsfield units"),
        ("ct", "dcm2niix"),
    ],
)
def test_where_no_ct_is_left_the_error_says_what_was_there_and_what_to_do(tmp_path, name, advice):
    kind, changes, told = OTHERS[name]
    write_other(tmp_path, name, kind, **changes)
    (tmp_path / "readme.txt").write_text("hello")
    line = refused(tmp_path)
    assert f"expected a CT series in DICOM, got {told}" in line
    assert advice in line.partition("; ")[2]


def test_nifti_files_in_deeper_folders_and_other_files_are_named(tmp_path):
    for name in ("a/x.nii.gz", "b/y.nrrd"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    assert "got NIfTI, NRRD or MetaImage file (2); give these files or the folders" in refused(tmp_path)
    (tmp_path / "c").mkdir()
    assert "got no file" in refused(tmp_path / "c")
    (tmp_path / "c/notes.txt").write_text("hello")
    assert "got file that is no DICOM (1): notes.txt; give the CT's folder" in refused(tmp_path / "c")
    (tmp_path / "c/notes.txt").rename(tmp_path / "c/CT.ZIP")
    assert "got packed file (1); unpack it, give what is in it" in refused(tmp_path / "c")


@pytest.mark.parametrize("tag", ["PixelSpacing", "Rows", "ImagePositionPatient"])
def test_one_slice_of_the_series_that_lacks_a_tag_is_named(series, tag):
    path = sorted(series.iterdir())[0]
    header = pydicom.dcmread(path)
    delattr(header, tag)
    header.save_as(path)
    assert f"{path.name} lies among the slices of the series and is a CT slice without {tag}" in refused(series)


@pytest.mark.parametrize("place", [0, 3, -1])
@pytest.mark.parametrize("share", [0, 0.05, 0.2, 0.5, 0.7, 0.97])
def test_a_slice_cut_short_anywhere_is_an_error_that_names_it(series, place, share):
    path = sorted(series.iterdir())[place]
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert path.name in refused(series)


@pytest.mark.parametrize("name", ["IM0003", "00003", "1.2.840.3", "I3.ima"])
def test_an_unreadable_file_named_like_the_slices_is_an_error_also_without_their_suffix(tmp_path, name):
    for number, path in enumerate(sorted(write_series(tmp_path / "scan").iterdir())):
        path.rename(path.with_name(name.replace("3", str(number + 4))))
    (tmp_path / "scan" / name).write_bytes(b"")
    assert f"{name} lies among the slices" in refused(tmp_path / "scan")


def test_copies_of_an_instance_count_once_and_differing_ones_are_refused(series):
    shutil.copytree(series, series / "again")
    read = dicom.read_series(series)
    np.testing.assert_array_equal(read.array, np.stack([plane(number) for number in range(6)]))
    assert read.repairs == ("set_aside: expected a CT series alone, got copy of a slice (6); they are left out",)
    path = next((series / "again").iterdir())
    header = pydicom.dcmread(path)
    header.InstitutionName = "written again, the same picture"
    header.save_as(path)
    assert dicom.read_series(series).array.shape[0] == 6
    header.RescaleIntercept = -1000
    header.save_as(path)
    assert f"and again/{path.name} have one SOPInstanceUID and differ; remove one" in refused(series)


def test_patients_and_series_whose_files_differ_by_that_alone_are_told_apart(series, tmp_path):
    shutil.copytree(series, tmp_path / "both/a")
    shutil.copytree(series, tmp_path / "both/b")
    for path in (tmp_path / "both/b").iterdir():
        header = pydicom.dcmread(path)
        header.SeriesInstanceUID, header.SeriesNumber = "1.2.3.9", 1
        header.save_as(path)
    assert "got 2 series of 6 slices" in refused(tmp_path / "both")
    for path in (tmp_path / "both/b").iterdir():
        header = pydicom.dcmread(path)
        header.PatientID = PATIENT + "2"
        header.save_as(path)
    assert "got CT of 2 patients" in refused(tmp_path / "both")


def test_patients_are_never_chosen_between(tmp_path):
    for name, count in (("a", 9), ("b", 6), ("c", 4)):
        write_series(
            tmp_path / name, count, f"1.2.{count}", PatientID=f"{PATIENT}-{name}", StudyInstanceUID=f"1.3.{count}"
        )
    line = refused(tmp_path)
    assert "got CT of 3 patients (9 slices in a, 6 slices in b, 4 slices in c); give the folder of one, or all" in line
    assert f"siil predict {tmp_path}/*" in line


def test_patients_in_one_flat_folder_are_refused_too(tmp_path):
    for count in (9, 6):
        write_series(tmp_path, count, f"1.2.{count}", PatientID=f"{PATIENT}{count}")
    told = "got CT of 2 patients (6 slices in ., 9 slices in .); give the folder of one, after sorting"
    assert told in refused(tmp_path)


def test_studies_of_one_patient_are_never_chosen_between(tmp_path):
    write_series(tmp_path / "old", 9, "1.2.9", StudyInstanceUID="1.3.9")
    write_series(tmp_path / "new", 6, "1.2.6", StudyInstanceUID="1.3.6")
    assert "got CT of 2 studies (6 slices in new, 9 slices in old)" in refused(tmp_path)


def test_series_that_do_not_say_whose_they_are_are_not_chosen_between(tmp_path):
    for count in (9, 6):
        nobody = {"PatientID": "", "PatientName": "", "StudyInstanceUID": "", "FrameOfReferenceUID": ""}
        write_series(tmp_path / str(count), count, f"1.2.{count}", **nobody)
    assert "got 2 CT series that do not say whose they are (6 slices in 6, 9 slices in 9)" in refused(tmp_path)


def test_of_several_series_of_a_study_the_longest_is_taken_and_that_is_said(series):
    for number in range(3):
        write_slice(series, number, series=generate_uid() if number == 0 else "1.2.3.5", SeriesNumber=7)
    read = dicom.read_series(series)
    assert read.array.shape[0] == 6
    assert read.repairs == (
        "other_series: the series of 6 slices is used, not those of 2, 1: it has the most slices; "
        "to have another, give its folder",
    )
    with dicom.series_files(series) as files:
        assert {pydicom.dcmread(file).SeriesInstanceUID for file in files} == {"1.2.3.4"}


def test_of_two_reconstructions_of_one_length_the_one_of_the_lower_number_is_taken(tmp_path):
    write_series(tmp_path, 6, "1.2.3.4", SeriesNumber=5)
    write_series(tmp_path, 6, "1.2.3.5", SeriesNumber=3)
    read = dicom.read_series(tmp_path)
    (said,) = read.repairs
    assert "the series of 6 slices (number 3) is used, not those of 6: of those with the most slices it has" in said
    with dicom.series_files(tmp_path) as files:
        assert {pydicom.dcmread(file).SeriesInstanceUID for file in files} == {"1.2.3.5"}


def test_two_series_of_one_length_that_nothing_tells_apart_or_at_other_places_are_refused(tmp_path):
    for name, series in (("a", "1.2.3.4"), ("b", "1.2.3.5")):
        write_series(tmp_path / "alike" / name, 6, series)
    told = "got 2 series of 6 slices; give the folder of one (6 slices in a, 6 slices in b)"
    assert told in refused(tmp_path / "alike")
    write_series(tmp_path / "apart/a", 6, "1.2.3.4", SeriesNumber=1)
    for number in range(6):
        place = {"ImagePositionPatient": [-7, 3, 500 + 5 * number], "SeriesNumber": 2}
        write_slice(tmp_path / "apart/b", number, series="1.2.3.5", **place)
    assert told in refused(tmp_path / "apart")


def test_slices_of_another_size_in_the_series_are_refused(series):
    write_slice(series, 7, series="1.2.3.4", Rows=5, PixelData=b"\0" * 120)
    assert "expected slices of one size in a series, got 10x12 and 5x12" in refused(series)


def test_results_of_an_earlier_run_beside_the_slices_change_nothing(series):
    before = dicom.read_series(series)
    write_other(series, "seg", SegmentationStorage, NumberOfFrames=9)
    for name in ("scan_seg.nii.gz", "scan_scan.json", "run.json", "scan_viewer.html"):
        (series / name).write_bytes(b"x")
    (series / "readme.txt").write_bytes(b"x")
    after = dicom.read_series(series)
    assert "(1)" in after.repairs[0]
    assert "Segmentation" in after.repairs[0]  # one that nothing says to be ours
    np.testing.assert_array_equal(after.array, before.array)
    assert after.grid == before.grid
