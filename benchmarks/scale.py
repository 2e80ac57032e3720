# ruff: noqa: T201
"""What do a thousand scans cost? A comparison of networks planned, and tiny scans from files to report.

    python -m benchmarks.scale plan                 126 to 1,005 scans, four networks x three seeds x five folds
    python -m benchmarks.scale plan --scans 1005 2010
    python -m benchmarks.scale run --scans 200      all steps for real; --code DIR: of another checkout, to compare;
                                                    --cores 1: else the CPU time of a batch's processes is not counted

Scans are 24 x 24 x 40 voxels, each different, in the layout of a user's own folder. `plan`: jobs, CPU seconds and peak
memory of `snakemake -n` when only the index is there, when everything is done, and after one scan has changed (and the
index was made again). Done are files that are made up, links to one file with its digest in their lists, which
`snakemake --touch` makes known to Snakemake.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

from benchmarks.processes import Cost, cost
from siil.datasets import batches as dealing
from siil.datasets.cases import read_cases
from siil.datasets.folds import read_list
from siil.run import checksums, files
from siil.stages.test import ENDS

ROOT = Path(__file__).resolve().parent.parent
SNAKEMAKE = str(Path(sys.executable).parent / "snakemake")
SHAPE_XYZ, SPACING_MM = (24, 24, 40), 3.0
CODES = (17, 18, 19, 20, 21, 22, 23)
MODELS, REPEATS, FOLDS = ("siil", "unet", "segresnet", "trunk"), 3, 5
PREPARED = ("preprocess", "pap")
DATASET = """\
dataset:
  name: scale
  accept_licence: true
  sources:
    scale: {kind: custom, path: scans}
  preprocess:
    spacing_mm: 3
    window_hu: [-500, 1300]
    crop_to_body: true
    body_threshold_hu: -300
    body_margin_mm: 10
    max_voxels: 7.0e+8
    min_length_mm: 20
  pap: {background_mass: 0.15, end_weight: 2, rare_weight: 2, rare: [T13, L6]}
  split: {scheme: kfold, folds: FOLDS, validation_fraction: 0.2, seed: 0}
  exclude: []
"""
EXPERIMENT = """\
description: Speed alone; nothing is learnt
dataset: scale
patch: {size_vox: [16, 16, 16]}
model: {encoder: pyramid, widths: [4, 8, 16], embed_dim: 16, heads: 2, memory_momentum: 0.5}
train:
  epochs: 1
  steps_per_epoch: 2
  encoder_epochs: 0.25
  teacher_epochs: 0.5
  schedule: cosine
  precision: 32-true
  validate_every_epochs: 1
  validate_cases: 1
inference: {overlap: 0.25, precision: 32-true}
report: {bootstrap: 100, viewer_cases: 1}
"""


def write_scan(folder: Path, number: int) -> None:
    """img/sNNNN.nii.gz and msk/sNNNN.nii.gz: a trunk in air with three to six vertebrae."""
    random = np.random.default_rng(number)
    image = random.integers(-120, 60, SHAPE_XYZ).astype(np.int16)
    image[:2], image[-2:] = -1000, -1000
    mask = np.zeros(SHAPE_XYZ, np.uint8)
    count = int(random.integers(3, 7))
    first = int(random.integers(0, len(CODES) - count + 1))
    edges = np.linspace(38, 2, count + 1).round().astype(int)
    for code, high, low in zip(CODES[first : first + count], edges[:-1], edges[1:], strict=True):
        mask[9:15, 9:15, low : high - 1] = code
    image[mask > 0] += np.int16(400)
    for part, array in (("img", image), ("msk", mask)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        volume = nib.Nifti1Image(array, np.diag([-SPACING_MM, -SPACING_MM, SPACING_MM, 1]))
        nib.save(volume, folder / part / f"s{number:04d}.nii.gz")


def change(path: Path) -> None:
    """Other noise; the vertebrae stay, and with them the folds."""
    image = nib.load(path)
    array = np.asanyarray(image.dataobj)[:, ::-1].copy()
    nib.save(nib.Nifti1Image(array, image.affine), path)


class Checkout:
    """The code of `code` in `folder`, with so many scans and the experiment `scale`."""

    def __init__(self, folder: Path, *, code: Path, scans: int, folds: int, lines: str, cores: int = 2) -> None:
        self.folder, self.cores = folder, cores
        for name in ("siil", "config", "workflow", "scripts"):
            shutil.copytree(code / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "config/datasets/scale.yaml").write_text(DATASET.replace("FOLDS", str(folds)))
        (folder / "config/experiments/scale.yaml").write_text(EXPERIMENT + lines)
        for number in range(scans):
            write_scan(folder / "scans", number)

    def cost(self, *words: str) -> Cost:
        """Of Snakemake; what it says goes to the file `said`."""
        snakemake = [SNAKEMAKE, "--cores", str(self.cores), *words, "--config"]
        inside = 'cd "$0" && "$@" > said 2>&1 || { tail -20 said >&2; exit 1; }'
        command = ["bash", "-c", inside, str(self.folder), *snakemake, "experiment=scale"]
        return cost(command, PYTHONPATH="", OMP_NUM_THREADS="1")

    def do(self, *words: str) -> str:
        """What a command says that must succeed."""
        return subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=True).stdout

    def plan(self) -> tuple[int, Cost]:
        """Jobs of a dry run, and what it cost."""
        spent = self.cost("--dry-run", "--quiet", "rules")
        said = (self.folder / "said").read_text(encoding="utf-8")
        found = re.findall(r"^total +(\d+)$", said, flags=re.M)
        if not found and "Nothing to be done" not in said:
            raise SystemExit(said[-2000:])
        return int(found[-1]) - 1 if found else 0, spent


def make_up(checkout: Checkout) -> None:
    """Every file from preprocess to report, as links to one file, with their lists; then `snakemake --touch`. The lists
    of the folds are real."""
    root, data, results = checkout.folder, Path("data/scale"), Path("results/scale")

    def links(*paths: Path) -> dict[Path, str]:
        files.write_text(root / paths[0], "made up\n")
        for path in paths[1:]:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            os.link(root / paths[0], root / path)
        return dict.fromkeys(paths, files.sha256(root / paths[0]))

    cases = read_cases(root / data / "cases.tsv")
    batches = dealing.count(len(cases))
    for batch in range(1, batches + 1):
        members = dealing.members(cases, batch, batches)
        for step, kinds in (("preprocess", ("img", "msk", "geometry")), ("pap", ("pap",))):
            end = {"geometry": ".json"}
            made = links(*(data / kind / f"{c.case}{end.get(kind, '.nii.gz')}" for c in members for kind in kinds))
            raw = {Path(c.mask): c.mask_sha256 for c in members} if step == "preprocess" else {}
            checksums.write(root / data / step / f"{batch}.of.{batches}.sha256", made | raw)
    lists = [f"--prepared={data}/{step}/{n + 1}.of.{batches}.sha256" for step in PREPARED for n in range(batches)]
    words = ["siil", "split", "--cases", f"{data}/cases.tsv", "--output", f"{data}/folds", "--experiment", "scale"]
    checkout.do(sys.executable, "-m", *words, *lists)
    for model, repeat, fold in itertools.product(MODELS, range(REPEATS), range(FOLDS)):
        place = f"{model}{f'@{repeat}' if repeat else ''}/fold{fold}"
        links(*(results / "train" / place / name for name in ("weights.safetensors", "history.tsv", "run.json")))
        tested = read_list(root / data / "folds" / str(fold) / "testing.txt")
        for step, ends in (("test", [f"_{end}" for end in ENDS]), ("evaluate", [".tsv"])):
            made = links(*(results / step / place / f"{case}{end}" for case in tested for end in ends))
            checksums.write(root / results / step / f"{place}.sha256", made)
    said = checkout.do(SNAKEMAKE, "--dry-run", "--config", "experiment=scale")
    outputs = [name for line in re.findall(r"^ +output: (.*)$", said, flags=re.M) for name in line.split(", ")]
    links(*(Path(name) for name in outputs if re.search("/(aggregate|tables|figures|report)/", name)))
    checkout.cost("--touch", "--forceall")


def plan(scans: int, code: Path) -> str:
    """A row of the table."""
    with tempfile.TemporaryDirectory() as name:
        lines = f"models: {list(MODELS)}\nrepeats: {REPEATS}\nfolds: {list(range(FOLDS))}\n"
        checkout = Checkout(Path(name) / "r", code=code, scans=scans, folds=FOLDS, lines=lines)
        checkout.cost("all_index")
        rows = [checkout.plan()]
        if code == ROOT:
            make_up(checkout)
            rows.append(checkout.plan())
            change(checkout.folder / "scans/img/s0000.nii.gz")
            checkout.cost("all_index")
            rows.append(checkout.plan())
    cells = [f"{jobs:,} jobs, {spent.cpu_s:.1f} s, {spent.peak_gb * 1000:.0f} MB" for jobs, spent in rows]
    return f"| {scans:,} | {' | '.join(cells)} |"


def run(scans: int, code: Path, cores: int) -> str:
    """All steps for real."""
    with tempfile.TemporaryDirectory() as name:
        lines = "models: [siil]\nfolds: [0]\n"
        checkout = Checkout(Path(name) / "r", code=code, scans=scans, folds=2, lines=lines, cores=cores)
        spent = checkout.cost()
        jobs = (checkout.folder / "said").read_text(encoding="utf-8").count("Finished jobid") - 1
    return f"{scans} scans, {cores} cores, {code}: {jobs} jobs, {spent.wall_s:.0f} s, {spent.cpu_s:.0f} CPU s"


def main() -> None:
    """Print a table of plans, or the time of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("plan", "run"))
    parser.add_argument("--scans", type=int, nargs="+")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--code", type=Path, default=ROOT)
    options = parser.parse_args()
    print(f"load of this machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if options.what == "run":
        for scans in options.scans or [200]:
            print(run(scans, options.code.resolve(), options.cores), flush=True)
        return
    print("| scans | from the index on | everything done | one scan changed |\n|---|---|---|---|")
    for scans in options.scans or [126, 252, 502, 1005]:
        print(plan(scans, options.code.resolve()), flush=True)


if __name__ == "__main__":
    main()
