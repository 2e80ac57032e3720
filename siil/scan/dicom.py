"""A CT series in DICOM, as a folder or a zip, to a volume in HU.

Beside `volume` for scans that are no NIfTI. Localizers, scouts, reports and secondary captures are skipped; of several
series the one with the most slices is taken, and that is said. A missing slice, a gantry tilt, slices of different
pixel spacing and two equally long series are refused. Only geometry and pixels are read: no patient identifier reaches
a log, a message or an output, but for the DICOM-SEG (inference/dicom_seg.py). Compressed transfer syntaxes are decoded
by pylibjpeg.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from siil.errors import InputError
from siil.scan import archive, defects, volume
from siil.scan.grid import Grid, Volume

_TAGS = [
    "SOPClassUID",
    "Modality",
    "ImageType",
    "SeriesInstanceUID",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "PixelSpacing",
]
_CT = "1.2.840.10008.5.1.4.1.1.2"
_ENHANCED_CT = ("1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2")
_TILT = 1e-2
"""Slices may run off their normal by this much (0.6 degrees) before it counts as a gantry tilt, and their cosines may
differ by this much before they count as two stacks: exports round and drift."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What places one slice: cosines of its rows and columns (LPS), its corner and pixel spacing (row, column), mm.

    series: its SeriesInstanceUID, rows and columns, which are the same in all slices of a series.
    """

    path: Path
    series: tuple[str, int, int]
    orientation: np.ndarray
    position_mm: np.ndarray
    spacing_mm: tuple[float, float]

    @property
    def normal(self) -> np.ndarray:
        """Unit vector across the slice."""
        return np.cross(self.orientation[:3], self.orientation[3:])


def read_scan(path: Path) -> Volume:
    """Read a scan of any kind: a NIfTI file, a folder with a DICOM series, or a zip of one. Raises InputError."""
    path = Path(path)
    if path.is_dir() or path.suffix.lower() == ".zip":
        return read_series(path)
    return volume.read_image(path)


def read_series(path: Path) -> Volume:
    """Read the CT series in a folder (searched to its depths) or a zip as int16 HU.

    Raises:
        InputError: no CT series, two of equal length, a missing or double slice, slices that lie or measure
            differently, damaged pixels.
    """
    with _folder(Path(path)) as folder, _quiet():
        slices, notes = _choose(folder, path)
        slices, step_mm = _ordered(slices, path)
        array = _pixels(slices, path)
    first = slices[0]
    offset = defects.check_hu(array, path)
    if offset:
        array -= 1024
        notes.append(offset)
    columns = np.stack([first.orientation[:3], first.orientation[3:], first.normal], axis=1)
    affine = np.eye(4)
    affine[:3, :3] = columns * [first.spacing_mm[1], first.spacing_mm[0], step_mm]
    spacing, cosines, repaired = defects.orthonormal(affine, path)
    sx, sy, sz = spacing.tolist()
    x, y, z = first.position_mm.tolist()
    depth, height, width = array.shape
    grid = Grid((depth, height, width), (sz, sy, sx), (x, y, z), tuple(cosines.ravel().tolist()))
    return Volume(array, grid, (*notes, *repaired))


@contextmanager
def series_files(path: Path) -> Iterator[list[Path]]:
    """Files of the series that `read_series` reads, in the order of the volume's slices: a DICOM-SEG refers to them.

    Files of a zip exist inside the block only. Raises InputError as `read_series` does.
    """
    with _folder(Path(path)) as folder, _quiet():
        slices, _ = _choose(folder, path)
        yield [one.path for one in _ordered(slices, path)[0]]


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield path
        return
    if not path.is_file():
        raise defects.refusal("missing", path, "nothing")
    with tempfile.TemporaryDirectory() as place:
        archive.unpack(path, Path(place) / "series")
        yield Path(place) / "series"


@contextmanager
def _quiet() -> Iterator[None]:
    """pydicom's warnings quote values of the file, which may identify the patient."""
    mode = pydicom.config.settings.reading_validation_mode
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        pydicom.config.settings.reading_validation_mode = mode


def _choose(folder: Path, path: Path) -> tuple[list[Slice], list[str]]:
    """The slices of the longest series, and notes on what was left out."""
    stacks: list[list[Slice]] = []
    others = 0
    inside = folder.resolve()
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.name == "DICOMDIR":
            continue
        if not file.resolve().is_relative_to(inside):
            raise InputError(f"{path}: {file.name} is a link that leads out of the folder; copy the file instead")
        try:
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=_TAGS)
        except (InvalidDicomError, OSError, EOFError, ValueError, KeyError):
            continue
        found = _slice(header, file, path)
        if found is None:
            others += 1
            continue
        _stack(found, stacks)
    if not stacks:
        raise InputError(f"{path}: expected a CT series in DICOM, got {others} other DICOM files; give the CT's folder")
    lengths = sorted((len(stack) for stack in stacks), reverse=True)
    if lengths[0] < 2:
        raise InputError(f"{path}: expected a CT series of several slices, got single ones; give the whole series")
    if len(lengths) > 1 and lengths[1] == lengths[0]:
        raise InputError(
            f"{path}: got {lengths.count(lengths[0])} series of {lengths[0]} slices; give the folder of one"
        )
    notes = []
    if len(lengths) > 1:
        rest = ", ".join(str(length) for length in lengths[1:6])
        notes.append(f"other_series: the series of {lengths[0]} slices is used, not those of {rest}")
    return max(stacks, key=len), notes


def _stack(found: Slice, stacks: list[list[Slice]]) -> None:
    """Put the slice to the first stack of its series and direction, or begin one."""
    for stack in stacks:
        first = stack[0]
        if found.series == first.series and np.abs(found.orientation - first.orientation).max() < _TILT:
            stack.append(found)
            return
    stacks.append([found])


def _slice(header: pydicom.Dataset, file: Path, path: Path) -> Slice | None:
    """The slice's place; None for what is no axial-like CT image (localizers, captures, reports)."""
    stored = getattr(header, "file_meta", {}).get("MediaStorageSOPClassUID", "")
    kind = str(header.get("SOPClassUID", "") or stored)  # de-identified files may have lost the first
    if kind in _ENHANCED_CT or int(header.get("NumberOfFrames", 1) or 1) > 1:
        raise InputError(f"{path}: {file.name} holds several frames, expected one slice a file; convert with dcm2niix")
    words = {str(word).upper() for word in header.get("ImageType", [])}
    if not (kind == _CT or (not kind and header.get("Modality", "") in ("CT", ""))) or words & {"LOCALIZER", "SCOUT"}:
        return None
    try:
        orientation = np.array(header.ImageOrientationPatient, float)
        position = np.array(header.ImagePositionPatient, float)
        row, column = (float(value) for value in header.PixelSpacing)
        series = (str(header.get("SeriesInstanceUID", "")), int(header.Rows), int(header.Columns))
    except (AttributeError, TypeError, ValueError):
        return None
    if orientation.shape != (6,) or position.shape != (3,):
        return None
    return Slice(file, series, orientation, position, (row, column))


def _ordered(slices: list[Slice], path: Path) -> tuple[list[Slice], float]:
    """Slices along their normal and the distance between them, mm."""
    spacings = np.array([one.spacing_mm for one in slices])
    low, high = spacings.min(axis=0), spacings.max(axis=0)
    if (high - low > 1e-3 * low).any():
        got = " to ".join(f"{row:g} x {column:g}" for row, column in (low, high))
        raise InputError(f"{path}: expected one pixel spacing in a series, got {got} mm; give one reconstruction")
    normal = slices[0].normal
    ordered = sorted(slices, key=lambda one: float(one.position_mm @ normal))
    steps = np.diff([one.position_mm @ normal for one in ordered])
    usual = float(np.median(steps))
    if steps.min() < 0.01:
        raise InputError(f"{path}: expected one slice at each place, got two; give one reconstruction of the series")
    if np.abs(steps - usual).max() > max(0.1 * usual, 0.05):
        worst = int(np.argmax(np.abs(steps - usual)))
        raise InputError(
            f"{path}: expected slices every {usual:.2f} mm, got {steps[worst]:.2f} mm after slice {worst + 1} of "
            f"{len(ordered)}; a slice is missing, export the series again"
        )
    along = ordered[-1].position_mm - ordered[0].position_mm
    drift = float(np.linalg.norm(along - (along @ normal) * normal) / np.linalg.norm(along))
    if drift > _TILT:
        tilt = np.degrees(np.arcsin(min(1.0, drift)))
        raise defects.refusal("sheared", path, f"a gantry tilt of {tilt:.1f} degrees")
    return ordered, float(along @ normal) / (len(ordered) - 1)


def _pixels(slices: list[Slice], path: Path) -> np.ndarray:
    array: np.ndarray | None = None
    for number, one in enumerate(slices):
        try:
            header = pydicom.dcmread(one.path)
            plane = header.pixel_array
            slope, intercept = float(header.get("RescaleSlope") or 1), float(header.get("RescaleIntercept") or 0)
        except Exception as error:  # decoders raise whatever they like on damaged pixels
            raise InputError(f"{path}: cannot decode {one.path.name} ({type(error).__name__}); copy it again") from None
        if array is None:
            array = np.empty((len(slices), *plane.shape), np.int16)
        array[number] = np.clip(np.rint(plane * np.float32(slope) + np.float32(intercept)), -32768, 32767)
    assert array is not None
    return array
