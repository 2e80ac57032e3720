"""Whatever stands in a header, the readers answer with a volume or with one line: no traceback.

Each test is bounded by its number of examples; a fixed seed makes them the same each time.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from siil.errors import SiilError, message
from siil.scan import dicom, reading, volume
from siil.scan.dicom.objects import quiet
from siil.scan.grid import Volume, to_sitk
from tests import scans
from tests.scan.dicom.test_choosing import write_series

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

pytestmark = pytest.mark.slow
BOUNDED = settings(max_examples=300, deadline=None, derandomize=True, database=None)
NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 2, 7, 127, 255, 256, 348, 1023, 32767, -32768, 2**31 - 1, -(2**31)]),
    st.sampled_from([np.nan, np.inf, -np.inf, 1e-40, 1e38, -0.0, 0.5]),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(width=32),
)


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def answers(read: Callable[[Path], object], path: Path) -> None:
    """A volume, or one line that names the file."""
    try:
        with np.errstate(all="ignore"):
            read(path)
    except SiilError as error:
        said = message(error) or ""  # as it is told: line breaks in a file's name are blanks
        if "\n" in said or str(path) not in said:
            raise AssertionError(f"no line that names the file: {said!r}") from None


@BOUNDED
@given(st.lists(st.tuples(st.sampled_from(nib.Nifti1Header.template_dtype.names), NUMBERS), min_size=1, max_size=4),
       st.booleans(), st.booleans())  # fmt: skip
def test_fields_of_a_nifti_header(place, fields, packed, swapped):
    path = scans.save(place / "plain.nii", scans.hu_xyz((6, 7, 8)))
    raw = bytearray(path.read_bytes())
    header = np.frombuffer(raw, nib.Nifti1Header.template_dtype, 1)
    for name, value in fields:
        kind = header.dtype[name].base
        with np.errstate(all="ignore"):
            header[name] = str(value)[:4].encode() if kind.kind == "S" else np.array([value]).astype(kind)[0]
    content = header.byteswap().tobytes() + bytes(raw[348:]) if swapped else bytes(raw)
    file = place / ("a.nii.gz" if packed else "a.nii")
    file.write_bytes(gzip.compress(content, 1) if packed else content)
    for read in (volume.read_grid, volume.read_image, volume.read_mask, volume.read_volume):
        answers(read, file)


@BOUNDED
@given(st.lists(st.tuples(st.integers(0, 1500), st.integers(0, 255)), min_size=1, max_size=12), st.integers(0, 1600))
def test_bytes_of_a_nifti_file(place, changes, length):
    raw = bytearray(scans.save(place / "plain.nii", scans.hu_xyz((6, 7, 8))).read_bytes())
    for where, value in changes:
        if where < len(raw):
            raw[where] = value
    for content in (bytes(raw), bytes(raw[:length]), gzip.compress(bytes(raw))[:length]):
        (place / "b.nii").write_bytes(content)
        for read in (volume.read_image, volume.read_mask):
            answers(read, place / "b.nii")


TAGS = ("SOPClassUID", "SOPInstanceUID", "Modality", "ImageType", "NumberOfFrames", "Rows", "Columns", "PatientID",
        "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "ImageOrientationPatient", "ImagePositionPatient",
        "PixelSpacing", "RescaleSlope", "RescaleIntercept", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel",
        "PixelRepresentation", "PhotometricInterpretation", "SpecificCharacterSet", "PlanarConfiguration")  # fmt: skip
TEXTS = st.one_of(st.text(max_size=12), NUMBERS.map(str), st.lists(NUMBERS.map(str), max_size=7).map("\\".join))


@BOUNDED
@given(st.lists(st.tuples(st.sampled_from(TAGS), TEXTS), min_size=1, max_size=4), st.integers(1, 4))
def test_tags_of_a_dicom_series(place, tags, slices):
    folder = place / "series"
    shutil.rmtree(folder, ignore_errors=True)
    with quiet():
        for path in sorted(write_series(folder, 4).iterdir())[:slices]:
            header = pydicom.dcmread(path)
            for name, text in tags:
                tag, kind, raw = pydicom.tag.Tag(name), pydicom.datadict.dictionary_VR(name), text.encode()
                if kind == "US" and len(text) % 2:
                    raw = (zlib.crc32(raw) % 65536).to_bytes(2, "little")
                header[tag] = pydicom.dataelem.RawDataElement(tag, kind, len(raw), raw, 0, False, True)
            try:
                header.save_as(path)
            except Exception:  # what pydicom cannot write is no file
                path.unlink()
    answers(dicom.read_series, folder)


@BOUNDED
@given(st.lists(st.tuples(st.integers(0, 1300), st.integers(0, 255)), min_size=1, max_size=10), st.integers(0, 1500))
def test_bytes_of_a_dicom_file(place, changes, length):
    folder = place / "bytes"
    shutil.rmtree(folder, ignore_errors=True)
    path = sorted(write_series(folder, 4).iterdir())[1]
    raw = bytearray(path.read_bytes())
    for where, value in changes:
        if where < len(raw):
            raw[where] = value
    path.write_bytes(bytes(raw if length > 1300 else raw[:length]))
    answers(dicom.read_series, folder)


KEYS = {
    ".nhdr": ("type", "dimension", "space", "sizes", "space directions", "kinds", "endian", "encoding", "space origin",
              "data file", "byte skip", "line skip", "spacings", "centers"),
    ".mhd": ("NDims", "BinaryData", "BinaryDataByteOrderMSB", "CompressedData", "TransformMatrix", "Offset", "DimSize",
             "CenterOfRotation", "ElementSpacing", "ElementType", "ElementDataFile", "HeaderSize",
             "ElementNumberOfChannels"),
}  # fmt: skip
WORDS = st.one_of(
    st.sampled_from(["", "3", "4", "2", "10 8 6", "0 0 0", "-1 -1 -1", "30000 30000 30000", "(1,0,0) (0,1,0) (0,0,1)",
                     "none none none", "float", "double", "MET_FLOAT", "MET_DOUBLE", "gzip", "ascii", "hex", "big",
                     "left-posterior-superior", "scanner-xyz", "LIST", "../a.raw", "nan nan nan", "1e308 1 1", "True",
                     "a.raw", "unsigned char", "MET_UCHAR", "(nan,nan,nan) (0,1,0) (0,0,1)"]),
    st.lists(NUMBERS.map(str), max_size=9).map(" ".join),
    st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=20),
)  # fmt: skip


@pytest.mark.parametrize("suffix", sorted(KEYS))
@BOUNDED
@given(data=st.data())
def test_lines_of_an_nrrd_or_metaimage_header(place, suffix, data):
    path, sign = place / f"a{suffix}", ": " if suffix == ".nhdr" else " = "
    image = to_sitk(Volume(scans.scan(scans.grid((6, 8, 10))).array, scans.grid((6, 8, 10))))
    sitk.WriteImage(image, str(path))
    changed = data.draw(st.dictionaries(st.sampled_from(KEYS[suffix]), WORDS, min_size=1, max_size=3))
    lines = path.read_text().splitlines()
    kept = [f"{key}{sign}{changed.pop(key)}" if (key := line.split(sign)[0]) in changed else line for line in lines]
    added = [f"{key}{sign}{value}" for key, value in changed.items()]
    path.write_text("\n".join([*kept[:1], *added, *kept[1:]]) + "\n")
    for read in (volume.read_grid, volume.read_image):
        answers(read, path)


@BOUNDED
@given(
    st.lists(st.text(max_size=20), max_size=4),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
)
def test_names_and_bytes_of_a_zip(place, names, changes):
    path = place / "a.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for name in dict.fromkeys(names):
            packed.writestr(zipfile.ZipInfo(name), b"content")
    raw = bytearray(path.read_bytes())
    for where, value in changes:
        if where < len(raw):
            raw[where] = value
    path.write_bytes(raw)
    answers(reading.read_scan, path)
