# ruff: noqa: T201
"""How long does `siil preprocess` take on one core, and how much memory, reading and writing included?

    python -m benchmarks.preprocess                          512 x 512 x 500 voxels
    python -m benchmarks.preprocess --slices 500 1500 --oblique

The scan is a trunk of soft tissue with noise and a bone in it, 0.75 x 0.75 x 1 mm, with a mask of 18 vertebrae as wide
as a real column; noise makes gzip work as hard as a patient does. Each run is a process of its own with one thread;
time is its CPU time (what an idle core would need) and wall time, memory its peak, interpreter and libraries included.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

import nibabel as nib
import numpy as np

from benchmarks.processes import Cost, apart, cost
from siil.anatomy import BY_NAME
from siil.datasets.cases import Case, write_cases

SIDE, PIXEL_MM, SLICE_MM = 512, 0.75, 1.0
LEVELS = [*(f"T{n}" for n in range(1, 13)), *(f"L{n}" for n in range(1, 7))]
LIMITS = {500: (15.0, 1.5), 1500: (None, 4.0)}
"""Slices -> seconds and GB that must not be passed, for a scan along the axes."""


def make(folder: Path, slices: int, tilt_deg: float) -> tuple[Path, Path]:
    """A scan and its mask."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    trunk = (x / 0.42) ** 2 + (y / 0.3) ** 2 < 1
    bone = (x / 0.06) ** 2 + ((y - 0.12) / 0.06) ** 2 < 1
    image = np.empty((SIDE, SIDE, slices), np.int16)
    mask = np.zeros((SIDE, SIDE, slices), np.uint8)
    for z in range(slices):
        plane = np.where(trunk, np.int16(-40), np.int16(-1000)) + random.integers(-30, 31, (SIDE, SIDE), dtype=np.int16)
        plane[bone] += 350
        image[:, :, z] = plane.T
        level, within = divmod(z * len(LEVELS), slices)
        if within < 0.8 * slices:
            mask[:, :, z] = np.where(bone.T, BY_NAME[LEVELS[::-1][level]].code, 0)
    angle = np.deg2rad(tilt_deg)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-PIXEL_MM, -PIXEL_MM, SLICE_MM])
    paths = folder / f"scan{slices}.nii.gz", folder / f"mask{slices}.nii.gz"
    for path, array in zip(paths, (image, mask), strict=True):
        nib.save(nib.Nifti1Image(array, affine), path)
    return paths


def preprocess(image: Path, mask: Path, folder: Path, sets: list[str]) -> Cost:
    """What the step costs on one thread."""
    empty = dict.fromkeys((field.name for field in fields(Case)), "") | {"annotation": "all"}
    write_cases(folder / "cases.tsv", [Case(**empty | {"case": "scan", "image": str(image), "mask": str(mask)})])
    command = [sys.executable, "-m", "siil", "preprocess", "--cases", str(folder / "cases.tsv")]
    command += ["--output", str(folder), "--manifest", str(folder / "list.sha256"), "--experiment", "verse19"]
    command += [word for text in sets for word in ("--set", text)]
    return cost(command, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")


def main() -> None:
    """Print a row per size, and fail when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", type=int, nargs="+", default=[500])
    parser.add_argument("--oblique", action="store_true", help="tilt the axes by 12 degrees")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of the configuration")
    options = parser.parse_args()
    failed = []
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print("| voxels | CPU time | wall time | peak memory |\n|---|---|---|---|")
    for slices in options.slices:
        with tempfile.TemporaryDirectory() as name:
            image, mask = apart(make, Path(name), slices, 12.0 if options.oblique else 0.0)
            spent = preprocess(image, mask, Path(name), options.set)
        times = f"{spent.cpu_s:.1f} s | {spent.wall_s:.1f} s"
        print(f"| {SIDE} x {SIDE} x {slices} | {times} | {spent.peak_gb:.2f} GB |", flush=True)
        seconds, memory_gb = (None, None) if options.oblique else LIMITS.get(slices, (None, None))
        if (seconds and spent.cpu_s > seconds) or (memory_gb and spent.peak_gb > memory_gb):
            failed.append(f"{slices} slices: at most {seconds} s and {memory_gb} GB were wanted")
    if failed:
        raise SystemExit("; ".join(failed))


if __name__ == "__main__":
    main()
