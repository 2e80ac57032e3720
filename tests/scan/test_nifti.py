"""nibabel without pydicom, and pydicom for those who want it."""

from __future__ import annotations

import subprocess
import sys

import pytest

SAYS = "import sys; {}; print('pydicom' in sys.modules, sys.modules.get('pydicom', 0) is None)"


@pytest.mark.parametrize("first", ["import siil.scan.volume", "import siil.scan.grid", "import siil.report.viewer"])
def test_pydicom_is_not_loaded_for_nifti(first: str) -> None:
    said = subprocess.run([sys.executable, "-c", SAYS.format(first)], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "False"]


@pytest.mark.parametrize(
    "order", ["import siil.scan.volume, siil.scan.dicom", "import siil.scan.dicom, siil.scan.volume"]
)
def test_pydicom_is_there_for_dicom(order: str) -> None:
    said = subprocess.run([sys.executable, "-c", SAYS.format(order)], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "False"]
    assert not said.stderr
