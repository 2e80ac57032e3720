"""`siil predict` under torchrun: two processes share the scans, and one scan that fails leaves the others done."""

# ruff: noqa: F401, F811 (fixtures that come by import)
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from siil.run.provenance import PACKAGE
from tests.stages.test_predict import scan
from tests.stages.test_test import weights

pytestmark = pytest.mark.slow
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def test_each_scan_is_read_once_and_a_broken_one_is_named_at_the_end(tmp_path: Path, weights: Path) -> None:
    for name in ("a", "b", "d"):
        scan(tmp_path / f"in/{name}.nii.gz")
    (tmp_path / "in/c.nii.gz").write_bytes(b"no scan")
    words = ("predict", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--weights", str(weights), "--fast")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, *TORCHRUN, "-m", "siil", *words, "--device", "cpu"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode != 0
    for name in ("a", "b", "d"):
        record = json.loads((tmp_path / f"out/{name}/run.json").read_text(encoding="utf-8"))
        assert f"{name}.nii.gz" in record["inputs"]
        assert (tmp_path / f"out/{name}/{name}_seg.nii.gz").is_file()
    assert not (tmp_path / "out/c").exists()
    assert done.stderr.count("1 of 4 scans were not segmented: c") == 2  # both processes end alike
    for name in ("a", "b", "d"):  # each by the process that did it
        assert done.stdout.count(f"{name}.nii.gz: ") == 1
    rows = [
        line.split()[0] for line in done.stdout.splitlines() if line.startswith(tuple("abcd")) and ": " not in line[:12]
    ]
    assert rows == ["a.nii.gz", "b.nii.gz", "c.nii.gz", "d.nii.gz"]  # one table, by the first
