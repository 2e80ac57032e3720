"""What can be wrong with a scan, and what is done about it: the one table of repair, say, skip and refuse.

Below `volume`: pure checks on arrays and affines, no file is opened here. A repair is logged and listed in cases.tsv;
`say` changes nothing and is only told; a skipped case is named and left out of the dataset; a refusal is an InputError.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np

from siil.anatomy import KNOWN_CODES
from siil.errors import InputError

Action = Literal["repair", "say", "skip", "refuse"]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)


@dataclass(frozen=True, slots=True)
class Defect:
    """One row: the word that names it, what is done, what was expected, and what to do about it."""

    code: str
    action: Action
    expected: str
    advice: str


_CONVERT: Final = "convert the original DICOM series again, for example with dcm2niix"
_VOLUME: Final = "a volume: NIfTI (.nii, .nii.gz), NRRD, MHA, MHD, or the folder of a DICOM series"
_HU: Final = "Hounsfield units (air about -1000, fat about -100, bone up to 2000)"
TABLE: Final[tuple[Defect, ...]] = (
    Defect("missing", "refuse", "a file", "check the path"),
    Defect("empty", "refuse", "a file with content", "download or copy it again"),
    Defect("damaged", "refuse", "a whole file", "download or copy it again"),
    Defect("not_nifti", "refuse", _VOLUME, "give the volume itself"),
    Defect("picture", "refuse", _VOLUME, "a picture has no Hounsfield units: give the CT that it was made of"),
    Defect("not_arrived", "refuse", _VOLUME, "the file did not arrive: download or fetch it again"),
    Defect("pair", "refuse", _VOLUME, "write both as one file: nibabel.save(nibabel.load(HDR), 'NAME.nii.gz')"),
    Defect("convertible", "refuse", _VOLUME, "convert it to NIfTI with the program that wrote it"),
    Defect("packed", "refuse", "a scan, or a zip of one", "unpack it, give what is in it"),
    Defect("one_slice", "refuse", "a whole series", "give the folder that it lies in"),
    Defect("colours", "refuse", "one number per voxel", "give the CT itself, not a picture or a field made of it"),
    Defect("dimensions", "refuse", "one volume of three dimensions", "give the 3D volume, not a slice or a series"),
    Defect("one_volume", "repair", "three dimensions", "the fourth dimension of length 1 is dropped"),
    Defect("spacing", "refuse", "voxel spacings of 0.05 to 20 mm", f"mend the header or {_CONVERT}"),
    Defect("no_orientation", "refuse", "a header that says how the scan lies", f"write it or {_CONVERT}"),
    Defect("sheared", "refuse", "axes at right angles", "resample the gantry-tilted or sheared scan onto such a grid"),
    Defect("not_orthonormal", "repair", "orthonormal direction cosines", "the nearest rotation is used"),
    Defect("two_forms", "repair", "qform equal to sform", "the sform is used"),
    Defect("set_aside", "say", "a CT series alone", "they are left out"),
    Defect("non_finite", "refuse", "finite voxels", f"set them to -1024 HU where they are padding, or {_CONVERT}"),
    Defect("constant", "refuse", "an image", f"the volume holds nothing; {_CONVERT}"),
    Defect("not_hu", "refuse", _HU, _CONVERT),
    Defect("labels_as_scan", "refuse", _HU, "give the CT itself, not its labels or a picture of it"),
    Defect("offset_1024", "repair", "Hounsfield units", "1024 is subtracted: the rescale intercept was not applied"),
    Defect("clipped", "repair", "values that fit 16 bits", "values outside are clipped"),
    Defect("too_large", "refuse", "a working grid below the limit", "crop the scan or raise preprocess.max_voxels"),
    Defect("too_short", "refuse", "more of the body", "give a longer scan or lower preprocess.min_length_mm"),
    Defect("mask_grid", "refuse", "mask and image on one grid", "resample the mask onto the image's grid"),
    Defect("mask_shifted", "repair", "mask and image on one grid", "the image's grid is used"),
    Defect("mask_axes", "repair", "mask and image with one order of axes", "the mask is turned, without loss"),
    Defect("labels", "refuse", "VerSe labels: 0 to 28, 255 where nobody annotated", "map the labels"),
    Defect("codes", "refuse", "labels of the table that --codes names", "name the tool that made the map"),
    Defect("fractions", "refuse", "whole numbers as labels", "resample the mask with nearest neighbours"),
    Defect("off_bone", "say", "bone under the labels", "look whether the mask is mirrored"),
    Defect("outside_body", "say", "labels within the body found", "look whether image and mask belong together"),
    Defect("no_vertebra", "skip", "at least one labelled vertebra", "label it, or leave the scan out"),
    Defect("no_mask", "skip", "a mask beside the image", "add it, or leave the scan out"),
    Defect("questioned", "say", "labels that nobody questioned", "dataset.known_defects: exclude leaves it out"),
    Defect("known_defect", "skip", "labels that nobody questioned", "dataset.known_defects: keep takes it in"),
    Defect("excluded", "skip", "a case in use", "it stands in dataset.exclude"),
)
BY_CODE: Final = {defect.code: defect for defect in TABLE}

ROUNDING: Final = 1e-4
"""Cosines that are off by less than this are float rounding of the header: no note is made."""
_FEW: Final = 60
"""An image that ends here or lower, or has so few values, is taken for a label map, not for a picture of 8 bits."""
SHEAR: Final = 1e-2
"""Cosines off by more (about 0.6 degrees, 2.5 mm at the edge of a 500 mm scan) are refused."""


def refusal(code: str, path: Path | str, got: str) -> InputError:
    """The one-line error of a defect: which file, what was expected, what came, what to do."""
    defect = BY_CODE[code]
    return InputError(f"{path}: expected {defect.expected}, got {got}; {defect.advice}")


def note(code: str, got: str) -> str:
    """One line for a repaired or skipped defect; it starts with the defect's word and a colon."""
    defect = BY_CODE[code]
    return f"{code}: expected {defect.expected}, got {got}; {defect.advice}"


def orthonormal(affine: np.ndarray, path: Path | str) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Split an affine (4 x 4, mm) into spacings and the nearest orthonormal cosines.

    Returns:
        spacing_mm per index axis, cosines (3 x 3, columns are the axes), and notes on what was repaired.

    Raises:
        InputError: spacing out of range, or axes too far from right angles.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or (spacing < 0.05).any() or (spacing > 20).any():
        raise refusal("spacing", path, " x ".join(f"{value:.4g}" for value in spacing) + " mm")
    cosines = affine[:3, :3] / spacing
    left, _, right = np.linalg.svd(cosines)
    nearest = left @ right
    off = float(np.abs(cosines - nearest).max())
    if off > SHEAR:
        raise refusal("sheared", path, f"direction cosines {off:.3f} off a rotation (at most {SHEAR} is repaired)")
    whole = np.round(nearest)
    if np.abs(nearest - whole).max() < 1e-6:
        nearest = whole
    notes = [note("not_orthonormal", f"cosines {off:.4f} off")] if off > ROUNDING else []
    return spacing, nearest + 0.0, notes


def check_hu(array: np.ndarray, path: Path | str) -> str | None:
    """Are these Hounsfield units? Returns the note of an offset of 1024 to subtract, or None when all is well.

    A CT of a patient always holds much air or fat (below -20 HU). Where none is, either 1024 was not subtracted (soft
    tissue then lies at 900 to 1150) or the values are no Hounsfield units.

    Args:
        array: integer image (Z, Y, X).

    Raises:
        InputError: all one value, a window of 8 bits, a scaled picture, or anything else that cannot be HU.
    """
    low, high = int(array.min()), int(array.max())
    if low == high:
        raise refusal("constant", path, f"{low} in every voxel")
    if low >= 0 and high <= 255:
        raise refusal("labels_as_scan", path, f"values {low} to {high}: {_small(array, high)}")
    if high - low < 300:
        raise refusal("not_hu", path, f"values {low} to {high}")
    step = max(1, round((array.size / 2e6) ** (1 / 3)))
    sample = array[::step, ::step, ::step]
    inside = sample[sample > low]  # padding outside the round field of view has the lowest value
    if inside.size == 0 or np.mean((inside > -1100) & (inside < -20)) >= 0.002:
        return None
    if np.mean((inside > 850) & (inside < 1150)) >= 0.05:
        return note("offset_1024", f"values {low} to {high} without fat or air, soft tissue near 1024")
    if low < -20:
        return None
    raise refusal("not_hu", path, f"values {low} to {high}: neither fat nor air")


def _small(array: np.ndarray, high: int) -> str:
    """What values of 8 bits are, in words."""
    if high <= _FEW:
        return "a label map, or a picture scaled to a small range"
    few = len(np.unique(array[::2, ::2, ::2])) <= _FEW
    return "a label map, or a picture of 8 bits" if few else "a windowed picture of 8 bits"


def check_labels(present: np.ndarray, path: Path | str) -> None:
    """Raise InputError unless every label in `present` (unique values of a mask) is in VerSe's table."""
    strange = [int(value) for value in present if value not in KNOWN_CODES]
    if strange:
        raise refusal("labels", path, f"{strange[:8]}")
