"""What a file that is no scan is, by its first bytes, and the row of `siil.scan.defects` that says what to do about it.

For the one line that refuses it: low layer, opens nothing.
"""

from __future__ import annotations

from typing import Final

_ZIP: Final = b"PK\x03\x04"
_SIGNS: Final = (
    (b"\x89PNG", "a PNG picture", "picture"),
    (b"\xff\xd8\xff", "a JPEG picture", "picture"),
    (b"GIF8", "a GIF picture", "picture"),
    (b"BM", "a BMP picture", "picture"),
    (b"II*\0", "a TIFF picture", "picture"),
    (b"MM\0*", "a TIFF picture", "picture"),
    (b"%PDF", "a PDF document", "not_nifti"),
    (b"version https://git-lfs", "the pointer of a file in Git LFS", "not_arrived"),
    (b"<!doctype html", "a web page", "not_arrived"),
    (b"<html", "a web page", "not_arrived"),
    (_ZIP, "a zip archive", "packed"),
    (b"BZh", "a bzip2 archive", "packed"),
    (b"\xfd7zXZ", "an xz archive", "packed"),
    (b"7z\xbc\xaf", "a 7z archive", "packed"),
    (b"Rar!", "a RAR archive", "packed"),
    (b"(\xb5/\xfd", "a zstd archive", "packed"),
    (b"\x93NUMPY", "an array of NumPy, which says nothing of where it lies", "not_nifti"),
    (b"\x89HDF", "an HDF5 file", "convertible"),
    (b"CDF", "a MINC or NetCDF file", "convertible"),
    (b"MATLAB", "a MATLAB file", "convertible"),
    (b"\0\0\0\x01\0\0", "a FreeSurfer volume", "convertible"),
    (b"# vtk", "a VTK file", "not_nifti"),
)
_SCANS: Final = (".nii", ".nii.gz")
_ANALYZE: Final = (b"\x5c\x01\0\0", b"\0\0\x01\x5c")


def kind_of(start: bytes, name: str) -> tuple[str, str]:
    """What a file is in words, and the code of its defect.

    Args:
        start: its first 540 bytes, unpacked where it is gzip.
        name: of the file, which tells where the bytes do not.
    """
    low, scan = start[:32].lower(), name.lower().endswith(_SCANS)
    if start.startswith(_ZIP) and "." in name and not scan:
        return _named(name), "not_nifti"  # documents, tables and weights are zips too
    for sign, words, code in _SIGNS:
        if start.startswith(sign) or low.startswith(sign):
            return words, "not_nifti" if code == "not_arrived" and not scan else code
    if start[344:348] == b"ni1\0":
        return "the header of a pair (.hdr, .img)", "pair"
    if start[:4] in _ANALYZE:
        return "an Analyze header (.hdr), which does not say left from right", "not_nifti"
    if start[257:262] == b"ustar":
        return "a tar archive", "packed"
    if start[8:10] == b'{"':
        return "a file of weights (safetensors)", "not_nifti"
    if name.lower().endswith(".img"):
        return "the voxels of a pair (.hdr, .img)", "pair"
    return (_text(start) or _named(name)), "not_nifti"


def _text(start: bytes) -> str:
    """JSON, XML or any other text; empty for what is none."""
    try:
        text = start.decode("utf-8", errors="ignore" if len(start) == 540 else "strict")
    except UnicodeDecodeError:
        return ""
    if not text or any(not (letter.isprintable() or letter in "\n\r\t\ufeff") for letter in text):
        return ""
    first = text.lstrip()[:1]
    return "a JSON file" if first in ("{", "[") else "an XML file" if first == "<" else "a text"


def _named(name: str) -> str:
    suffix = name[name.rfind(".") :] if "." in name[1:] else ""
    return "something else" if name.lower().endswith(_SCANS) else f"a file named {suffix or name}"
