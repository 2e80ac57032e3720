"""What one file is: a slice of a CT, or something that is set aside, and why.

What an object *is* (SOP class, modality, kind of image) is looked at before what it lacks. Reasons hold no value of a
file but names of classes and tags.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from siil.run import files
from siil.scan.archive import PACKED

_CT: Final = "1.2.840.10008.5.1.4.1.1.2"
_ENHANCED_CT: Final = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
_GEOMETRY: Final = {"ImageOrientationPatient": 6, "ImagePositionPatient": 3, "PixelSpacing": 2}
_TAGS: Final = [
    *("SOPClassUID", "SOPInstanceUID", "Modality", "ImageType", "NumberOfFrames", "Rows", "Columns"),
    *("PatientID", "PatientName", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SeriesNumber"),
    *_GEOMETRY,
]
_BARE: Final = (b"\x08\x00", b"\x02\x00", b"\x00\x08", b"\x00\x02")
"""How a file without preamble begins: group 0008 or 0002, in either byte order."""
_MARKERS: Final = (
    (b"\xff\x4f\xff\x51", JPEG2000Lossless),
    (b"\xff\xf7", JPEGLSLossless),
    (b"\xff\xc3", JPEGLosslessSV1),
    (b"\xff\xc1", JPEGExtended12Bit),
    (b"\xff\xc0", JPEGBaseline8Bit),
)
UNREAD: Final = "file that cannot be read as DICOM"
OTHER_SCANS: Final = "NIfTI, NRRD or MetaImage file"
_ADVICE: Final = {
    "Segmentation": "give the folder of the CT series that it belongs to",
    "RT": "give the folder of the CT series that it belongs to",
    "MR": "the network knows CT alone",
    "Secondary Capture": "these are pictures, not Hounsfield units; export the CT series itself",
    "enhanced CT": "convert it with dcm2niix and give the NIfTI file",
    "CT with several frames": "convert it with dcm2niix and give the NIfTI file",
    "localizer": "export the CT series itself",
    "CT slice without": "export the series again with all its tags",
    "packed file": "unpack it, give what is in it",
    OTHER_SCANS: "give these files or the folders that they lie in",
}


@dataclass(frozen=True, slots=True)
class Slice:
    """One CT slice: whose it is, and where it lies.

    orientation: cosines of its rows and columns (LPS). position_mm: its corner. spacing_mm: (row, column).
    """

    path: Path
    instance: str
    patient: str
    study: str
    frame: str
    series: str
    number: int | None
    size: tuple[int, int]
    orientation: np.ndarray
    position_mm: np.ndarray
    spacing_mm: tuple[float, float]

    @property
    def normal(self) -> np.ndarray:
        """Unit vector across the slice."""
        return np.cross(self.orientation[:3], self.orientation[3:])


@dataclass(frozen=True, slots=True)
class Aside:
    """A file that is set aside. what: in words, without a number. series: its SeriesInstanceUID, if it may be a slice.

    may_belong: it may be a slice of a series, and then the series is not whole without it.
    """

    path: Path
    what: str
    series: str = ""
    may_belong: bool = False

    @property
    def advice(self) -> str:
        """What to do where nothing else is there."""
        return next((told for word, told in _ADVICE.items() if self.what.startswith(word)), "give the CT's folder")


def look(path: Path) -> Slice | Aside:
    """What the file is."""
    if path.name.lower().endswith((".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")):
        return Aside(path, OTHER_SCANS)
    try:
        return _told(read_header(path, tags=_TAGS), path)
    except InvalidDicomError:
        what = "packed file" if path.name.lower().endswith(PACKED) else "file that is no DICOM"
        return Aside(path, what if path.stat().st_size else UNREAD, may_belong=True)
    except Exception:  # parsers raise whatever they like on damaged headers
        return Aside(path, UNREAD, may_belong=True)


def read_header(path: Path, *, tags: list[str] | None = None, pixels: bool = False) -> pydicom.Dataset:
    """The data set of a file, also of one without preamble and meta header. Raises what pydicom raises."""
    with path.open("rb") as stream:
        start = stream.read(132)
    bare = start[128:] != b"DICM" and start.startswith(_BARE)
    header = pydicom.dcmread(path, stop_before_pixels=not pixels, specific_tags=tags, force=bare)
    if bare and not header.file_meta.get("TransferSyntaxUID"):
        header.file_meta.TransferSyntaxUID = _syntax(header)
    return header


def _syntax(header: pydicom.Dataset) -> UID:
    """The transfer syntax of a file that lost it: compressed pixels say it by their first markers."""
    implicit, little = header.original_encoding
    if "PixelData" in header and header["PixelData"].is_undefined_length:
        start = header.PixelData[:4096]
        return next((syntax for marker, syntax in _MARKERS if marker in start), RLELossless)
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


@contextmanager
def quiet() -> Iterator[None]:
    """pydicom's warnings quote values of the file, which may identify the patient."""
    mode = pydicom.config.settings.reading_validation_mode
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    level = pydicom.config.logger.level
    pydicom.config.logger.setLevel("CRITICAL")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        pydicom.config.logger.setLevel(level)
        pydicom.config.settings.reading_validation_mode = mode


def _told(header: pydicom.Dataset, path: Path) -> Slice | Aside:
    series = str(header.get("SeriesInstanceUID") or "").strip()
    other = _not_a_slice(header)
    if other:
        return Aside(path, other)
    if not (header.get("Modality") or header.get("SOPClassUID") or series):
        return Aside(path, UNREAD, may_belong=True)
    lacking = _lacking(header)
    if lacking:
        return Aside(path, f"CT slice without {lacking}", series, may_belong=True)
    number = str(header.get("SeriesNumber") or "").strip()
    row, column = (float(value) for value in header.PixelSpacing)
    return Slice(
        path=path,
        instance=_text(header, "SOPInstanceUID") or _meta(header, "MediaStorageSOPInstanceUID") or files.sha256(path),
        patient=_text(header, "PatientID") or _text(header, "PatientName"),
        study=_text(header, "StudyInstanceUID"),
        frame=_text(header, "FrameOfReferenceUID"),
        series=series,
        number=int(number) if re.fullmatch(r"\d{1,9}", number) else None,
        size=(int(header.Rows), int(header.Columns)),
        orientation=np.array(header.ImageOrientationPatient, float),
        position_mm=np.array(header.ImagePositionPatient, float),
        spacing_mm=(row, column),
    )


def _not_a_slice(header: pydicom.Dataset) -> str:
    """What the object is, where it is no slice of a CT; else nothing."""
    kind = _text(header, "SOPClassUID") or _meta(header, "MediaStorageSOPClassUID")  # some lost the first
    modality = _text(header, "Modality")
    if kind in _ENHANCED_CT:
        return "enhanced CT in one file"
    if kind and kind != _CT:
        name = UID(kind).name
        return "private object" if name == kind else name.removesuffix(" Storage").removesuffix(" Image")
    if modality not in ("CT", ""):
        return f"{modality} object" if re.fullmatch("[A-Z]{2,12}", modality) else "object that is no CT"
    if int(header.get("NumberOfFrames", 1) or 1) > 1:
        return "CT with several frames in one file"
    words = header.get("ImageType") or []
    words = {str(word).upper() for word in ([words] if isinstance(words, str) else words)}
    return "localizer" if words & {"LOCALIZER", "SCOUT", "TOPOGRAM"} else ""


def _lacking(header: pydicom.Dataset) -> str:
    """The first tag that a slice needs and that is not there or no use."""
    for name, count in _GEOMETRY.items():
        try:
            values = np.array(header.get(name), float)
        except (TypeError, ValueError):
            return name
        if values.shape != (count,) or not np.isfinite(values).all():
            return name
        if name == "PixelSpacing" and (values <= 0).any():
            return name
        if count == 6 and np.linalg.norm(np.cross(values[:3], values[3:])) < 0.9:
            return name
    for name in ("Rows", "Columns"):
        size: Any = header.get(name)
        if not isinstance(size, int) or size < 1:
            return name
    return ""


def _text(header: pydicom.Dataset, name: str) -> str:
    return str(header.get(name) or "").strip().strip("\0")


def _meta(header: pydicom.Dataset, name: str) -> str:
    return str(getattr(header, "file_meta", {}).get(name) or "")
