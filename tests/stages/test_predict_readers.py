"""What `siil predict` writes, opened by the readers that people use: the same voxels at the same places.

Readers of the pinned environment; docs/results.md says which others were tried. Every reader gives an array [x, y, z]
of VerSe codes and a 4 x 4 matrix from its voxels to LPS millimetres.
"""

# ruff: noqa: F401, F811 (fixtures that come by import)
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import highdicom
import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from siil.anatomy import BY_CODE, BY_NAME
from siil.datasets import labelmaps
from siil.scan import volume
from siil.scan.grid import Grid, Volume
from tests.inference.test_dicom_seg import make_series
from tests.stages.test_predict import run
from tests.stages.test_test import reading, spine, weights

Read = tuple[np.ndarray, np.ndarray]
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
C, S = np.cos(np.radians(20)), np.sin(np.radians(20))
COSINES = {"supine": (1, 0, 0, 0, 1, 0), "prone": (-1, 0, 0, 0, -1, 0), "oblique": (C, S, 0, -S, C, 0)}


def by_simpleitk(path: Path) -> Read:
    image = sitk.ReadImage(str(path))
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image).T, matrix


def by_nibabel(path: Path) -> Read:
    image = nib.load(path)
    return np.asarray(image.dataobj), FLIP @ image.affine


def by_monai(path: Path) -> Read:
    from monai.data import NibabelReader

    reader = NibabelReader()
    array, meta = reader.get_data(reader.read(path))
    return array, FLIP @ meta["affine"]


def by_folder_of_masks(path: Path) -> Read:
    """Split into a file for each vertebra, as TotalSegmentator writes them, and read as `score` and `audit` do."""
    image, place = nib.load(path), path.parent / "ts" / "segmentations"
    place.mkdir(parents=True)
    for code in np.unique(image.dataobj)[1:]:
        mask = nib.Nifti1Image((np.asarray(image.dataobj) == code).astype(np.uint8), image.affine)
        nib.save(mask, place / f"vertebrae_{BY_CODE[int(code)].name}.nii.gz")
    joined = labelmaps.read(labelmaps.find(path.parent / "ts")["ts"], {})
    return joined.array.T, joined.grid.matrix


def by_highdicom(path: Path) -> Read:
    """Of the DICOM-SEG; its axes (slice, row, column) stay as they are, and the matrix with them."""
    made = highdicom.seg.segread(path)
    found = made.get_volume(combine_segments=True)
    codes = np.zeros(256, np.uint8)
    for segment in made.SegmentSequence:
        codes[segment.SegmentNumber] = BY_NAME[segment.SegmentLabel].code
    return codes[found.array], found.affine


READERS = {"SimpleITK": by_simpleitk, "nibabel": by_nibabel, "MONAI": by_monai}
MASKS = {"folder of masks": by_folder_of_masks}


def label_at(read: Read, places_mm: np.ndarray) -> np.ndarray:
    """The label of the voxel that holds each place [N, 3]; 0 outside of the array."""
    array, matrix = read
    places = np.column_stack([places_mm, np.ones(len(places_mm))])
    voxels = np.rint((places @ np.linalg.inv(matrix).T)[:, :3]).astype(int)
    inside = ((voxels >= 0) & (voxels < array.shape)).all(axis=1)
    labels = np.zeros(len(places_mm), int)
    labels[inside] = array[tuple(voxels[inside].T)]
    return labels


def world(codes: np.ndarray, cosines: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Places [N, 3] in LPS mm and labels [N] of an array (Z, Y, X) of 3 mm whose first voxel lies at -10, -20, 100."""
    z, y, x = (3.0 * index.ravel()[:, None] for index in np.indices(codes.shape))
    places = [-10, -20, 100] + x * np.array(cosines[:3]) + y * np.array(cosines[3:]) + z * np.array([0, 0, 1])
    return places, codes.ravel()


def agree(read: Read, places_mm: np.ndarray, truth: np.ndarray, share: float, far_mm: float) -> None:
    found = label_at(read, places_mm)
    assert (found == truth)[(found > 0) | (truth > 0)].mean() > share
    for code in set(truth[truth > 0]):
        centres = [places_mm[labels == code].mean(axis=0) for labels in (found, truth)]
        np.testing.assert_allclose(*centres, atol=far_mm)


def nifti(path: Path, image: np.ndarray, cosines: tuple[float, ...]) -> Path:
    direction = np.column_stack([cosines[:3], cosines[3:], [0, 0, 1]])
    grid = Grid(image.shape, (3.0, 3.0, 3.0), (-10.0, -20.0, 100.0), tuple(direction.ravel().tolist()))
    volume.write_volume(path, Volume(image, grid))
    return path


def dicom(path: Path, image: np.ndarray, cosines: tuple[float, ...]) -> Path:
    make_series(path, image, step_mm=3.0, pixel_mm=3.0, cosines=cosines)
    return path


def lying(pose: str) -> tuple[np.ndarray, np.ndarray]:
    """The same patient as each pose stores it: a prone one with rows and columns the other way round."""
    return tuple(np.ascontiguousarray(a[:, ::-1, ::-1] if pose == "prone" else a) for a in spine())


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("pose", COSINES)
@pytest.mark.parametrize("store", [nifti, dicom])
def test_every_reader_finds_the_vertebrae_where_they_are(
    tmp_path: Path, weights: Path, store: Callable[..., Path], pose: str
) -> None:
    image, codes = lying(pose)
    name = "p.nii.gz" if store is nifti else "p"
    run([store(tmp_path / "in" / name, image, COSINES[pose])], tmp_path / "out", weights)
    places, truth = world(codes, COSINES[pose])
    seg = tmp_path / "out/p_seg.nii.gz"
    reads = {name: reader(seg) for name, reader in (READERS | MASKS).items()}
    if store is dicom:
        reads["highdicom"] = by_highdicom(tmp_path / "out/p_seg.dcm")
    # the network of the test reads brightness, and a turn onto the working grid makes borders brighter or darker
    share, far_mm = (0.85, 5.0) if pose == "oblique" else (0.97, 0.5)
    for read in reads.values():
        agree(read, places, truth, share, far_mm)
        np.testing.assert_array_equal(label_at(read, places), label_at(reads["nibabel"], places))
    axes, *entries = json.loads((tmp_path / "out/p_ctd.json").read_text())
    array, matrix = reads["nibabel"]
    assert "".join(axes["direction"]) == "".join(nib.aff2axcodes(FLIP @ matrix))
    for entry in entries:  # as readers of VerSe's JSON do: voxels along the axes of the file beside it
        assert array[round(entry["X"]), round(entry["Y"]), round(entry["Z"])] == entry["label"]
    assert {entry["label"] for entry in entries} >= set(truth[truth > 0])


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("forms", [(1, 1), (2, 1), (1, 2), (1, 4)])
def test_of_a_scan_with_two_matrices_every_reader_lays_the_labels_on_the_scan(
    tmp_path: Path, weights: Path, forms: tuple[int, int]
) -> None:
    path = nifti(tmp_path / "p.nii.gz", spine()[0], COSINES["supine"])
    image = nib.load(path)
    other = image.affine.copy()
    other[:3, 3] += [40, -30, 20]
    image.set_qform(image.affine, forms[0])
    image.set_sform(other, forms[1])
    nib.save(image, path)
    run([path], tmp_path / "out", weights)
    for reader in READERS.values():
        np.testing.assert_allclose(reader(tmp_path / "out/p_seg.nii.gz")[1], reader(path)[1], atol=1e-4)
