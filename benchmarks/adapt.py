# ruff: noqa: T201
"""What does it cost to adapt the weights that ship to ten chests that nobody labelled? `siil adapt`, time and memory.

    python -m benchmarks.adapt --output DIR

The scans are phantoms of 512 x 512 x 133 voxels, 0.8 x 0.8 x 2.5 mm, from the pelvis up: neither time nor memory
depends on what they show. The phantoms among which the weights learn are made first by the pipeline, in data/adapt, and
do not count. With the same folder once more all is found done.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.predict import SIDE, make_scan
from benchmarks.processes import apart, cost

SLICE_MM = 2.5


def main() -> None:
    """Make the scans, adapt to them, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=10)
    parser.add_argument("--slices", type=int, default=133)
    parser.add_argument("--output", type=Path, required=True, help="for scans, weights, table and pictures")
    options = parser.parse_args()
    folder = (options.output / "scans").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    scans = [apart(make_scan, folder, options.slices, seed, SLICE_MM) for seed in range(options.scans)]
    labelled = ["--cores", "all", "all_pap", "all_split", "--config", "experiment=adapt", f"adapt={{scans: {folder}}}"]
    cost([str(Path(sys.executable).with_name("snakemake")), *labelled])
    words = ["--experiment", "adapt", "--data", "data/adapt", "--output", str(options.output / "adapted")]
    spent = cost([sys.executable, "-m", "siil", "adapt", *map(str, scans), *words])
    print(
        f"{options.scans} scans of {SIDE} x {SIDE} x {options.slices}: {spent.wall_s / 60:.1f} minutes, "
        f"{spent.cpu_s / 60:.1f} CPU minutes, {spent.peak_gb:.2f} GB"
    )


if __name__ == "__main__":
    main()
