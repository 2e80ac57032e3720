"""What is no scan is called what it is, and the advice fits it."""

from __future__ import annotations

import gzip
import io
import json
import zipfile

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from siil.errors import InputError
from siil.scan import reading
from siil.scan.kinds import kind_of
from tests import scans


def picture(kind: str) -> bytes:
    made = io.BytesIO()
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(made, kind)
    return made.getvalue()


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a", "b" * 600)
    return made.getvalue()


PAGE = b"<!DOCTYPE HTML><html><body>404 Not Found</body></html>"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 132735\n"
KINDS = [
    ("a.txt", b"The CT shows\n", "got a text; give the volume itself"),
    ("a.csv", "Männer;1\n".encode() * 99, "got a text; give"),
    ("a.nii.gz", b"hello " * 200, "got a text; give"),
    ("a.pdf", b"%PDF-1.7\n\xe2\xe3", "got a PDF document; give the volume itself"),
    ("a.json", json.dumps({"a": list(range(400))}).encode(), "got a JSON file; give"),
    ("a.xml", b"<?xml version='1.0'?><a/>", "got an XML file; give"),
    *(
        (f"a.{kind}", picture(kind), f"got a {kind.upper()} picture; a picture has no")
        for kind in ("png", "jpeg", "tiff")
    ),
    ("a.bmp", picture("bmp"), "got a BMP picture; a picture has no Hounsfield units: give the CT that it was made of"),
    ("a.html", PAGE, "got a web page; give the volume itself"),
    ("a.nii.gz", PAGE, "got a web page; the file did not arrive: download or fetch it again"),
    ("a.nii.gz", gzip.compress(PAGE, mtime=0), "got a web page; the file did not arrive"),
    ("a.nii.gz", POINTER, "got the pointer of a file in Git LFS; the file did not arrive"),
    ("a.xlsx", zipped(), "got a file named .xlsx; give the volume itself"),
    ("a.nii.gz", zipped(), "got a zip archive; unpack it"),
    ("a.npy", b"\x93NUMPY\x01\x00", "got an array of NumPy, which says nothing of where it lies; give"),
    ("a.h5", b"\x89HDF\r\n\x1a\n", "got an HDF5 file; convert it to NIfTI"),
    (
        "a.mgz",
        gzip.compress(b"\0\0\0\1\0\0\0\x28" + bytes(300), mtime=0),
        "got a FreeSurfer volume; convert it to NIfTI",
    ),
    ("a.img", bytes(900), r"got the voxels of a pair \(.hdr, .img\); write both as one file"),
    ("a.safetensors", b'\x10\0\0\0\0\0\0\0{"a":1}', r"got a file of weights \(safetensors\); give"),
    ("a.xyz", b"\x01\x02\x03" * 300, "got a file named .xyz; give"),
    ("noname", b"\x01\x02\x03" * 300, "got a file named noname; give"),
    ("a.nii", b"\x01\x02\x03" * 300, "got something else; give"),
    ("a.zip", b"hello", "expected a zip archive, got another file; download or copy it again"),
    ("a.txt", b"", "expected a file with content, got 0 bytes"),
]


@pytest.mark.parametrize(("name", "content", "said"), KINDS)
def test_a_file_is_called_what_it_is(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        reading.read_scan(tmp_path / name)
    line = str(caught.value)
    assert line.startswith(f"{tmp_path / name}: expected ")
    assert "dcm2niix" not in line


def test_headers_of_two_files_are_told_apart(tmp_path):
    array = scans.hu_xyz((6, 7, 8))
    nib.save(nib.Nifti1Pair(array, np.eye(4)), tmp_path / "pair.hdr")
    assert kind_of((tmp_path / "pair.hdr").read_bytes(), "pair.hdr") == ("the header of a pair (.hdr, .img)", "pair")
    header = nib.AnalyzeImage(array, np.eye(4)).header.binaryblock
    assert kind_of(header, "a.hdr")[0].startswith("an Analyze header (.hdr), which does not say left from right")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((0, 1), "a label map, or a picture scaled to a small range"),
        ((0, 20, 21), "a label map, or a picture"),
        (
            (0, 27, 117),
            "values 0 to 117: a label map, or a picture of 8 bits; give the CT itself, not its labels",
        ),
        (range(256), "values 0 to 255: a windowed picture of 8 bits; give the CT itself"),
    ],
)
def test_labels_and_pictures_as_volumes_are_told_apart(tmp_path, values, said):
    array = np.resize(np.array(values, np.uint8), (16, 14, 12))
    path = scans.save(tmp_path / "a.nii.gz", np.sort(array, axis=0))
    with pytest.raises(InputError, match=said):
        reading.read_scan(path)


@pytest.mark.parametrize("kind", [np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]), np.complex64])
def test_volumes_of_several_numbers_a_voxel(tmp_path, kind):
    nib.save(nib.Nifti1Image(np.zeros((6, 7, 8), kind), np.eye(4)), tmp_path / "a.nii.gz")
    with pytest.raises(InputError, match=r"expected one number per voxel, got .*; give the CT itself, not a picture"):
        reading.read_scan(tmp_path / "a.nii.gz")
