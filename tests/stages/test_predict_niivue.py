"""niivue, the viewer of browsers, finds the labels of `siil predict` where it puts the scan itself.

niivue comes from npm, so these tests want node and a network.
"""

# ruff: noqa: F401, F811 (fixtures that come by import)
from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.stages.test_predict import run
from tests.stages.test_predict_readers import COSINES, FLIP, Read, agree, lying, nifti, world
from tests.stages.test_test import reading, spine, weights

pytestmark = pytest.mark.network
PACKAGE = "@niivue/niivue@0.69.0"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script beside the package that it imports."""
    if shutil.which("npm") is None:
        pytest.skip("no node: install nodejs with npm")
    folder = tmp_path_factory.mktemp("niivue")
    words = ["npm", "install", "--prefix", folder, "--no-audit", "--no-fund", PACKAGE]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        pytest.skip(f"npm brings no {PACKAGE}: {done.stderr[-200:]}")
    return Path(shutil.copy(Path(__file__).with_name("niivue.mjs"), folder))


def by_niivue(program: Path, path: Path) -> Read:
    done = subprocess.run(["node", program, path], capture_output=True, text=True, timeout=120, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    first, *others = np.array(said["places"])
    matrix = np.eye(4)
    matrix[:3] = np.column_stack([*(other - first for other in others), first])
    return np.reshape(said["values"], said["shape"], order="F"), FLIP @ matrix


@pytest.mark.usefixtures("reading")
@pytest.mark.parametrize("pose", COSINES)
def test_niivue_finds_the_vertebrae_where_they_are(tmp_path: Path, weights: Path, program: Path, pose: str) -> None:
    image, codes = lying(pose)
    run([nifti(tmp_path / "p.nii.gz", image, COSINES[pose])], tmp_path / "out", weights)
    share, far_mm = (0.85, 5.0) if pose == "oblique" else (0.97, 0.5)
    agree(by_niivue(program, tmp_path / "out/p_seg.nii.gz"), *world(codes, COSINES[pose]), share, far_mm)


@pytest.mark.usefixtures("reading")
def test_of_a_scan_with_two_matrices_niivue_lays_the_labels_on_the_scan(
    tmp_path: Path, weights: Path, program: Path
) -> None:
    """It takes the qform where its code is the higher one, as no other reader does."""
    path = nifti(tmp_path / "p.nii.gz", spine()[0], COSINES["supine"])
    image = nib.load(path)
    other = image.affine.copy()
    other[:3, 3] += [40, -30, 20]
    image.set_qform(image.affine, 2)
    image.set_sform(other, 1)
    nib.save(image, path)
    run([path], tmp_path / "out", weights)
    (scan, at), (labels, of_labels) = (by_niivue(program, each) for each in (path, tmp_path / "out/p_seg.nii.gz"))
    assert scan.shape == labels.shape
    np.testing.assert_allclose(of_labels, at, atol=1e-4)
    corner = nib.affines.apply_affine(np.linalg.inv(at), (FLIP @ image.get_qform())[:3, 3])
    np.testing.assert_allclose(corner, np.rint(corner), atol=1e-3)  # a voxel of the qform, not of the sform
    assert np.isin(np.rint(corner), [[0, n - 1] for n in scan.shape]).any()
