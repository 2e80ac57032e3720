# ruff: noqa: T201
"""What do tables, figures and page of a large comparison cost? On made-up scores.

    python -m benchmarks.scale_page                      1,005 scans, four networks with three seeds, five folds
    python -m benchmarks.scale_page --scans 374 --keep DIR

Every scan has one of 60 made-up pairs of truth and prediction (32 x 20 x 20 voxels, five vertebrae), scored by the
metrics of `siil evaluate` in four spaces; CT, traces of the network and run records are there for each. Prints CPU and
wall time and peak memory of aggregate, tables, figures and report, the size of the page, and, where there is a
Chromium, how long it takes until the page is drawn and scrolled.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.processes import cost
from benchmarks.scale import FOLDS, MODELS, REPEATS
from siil import config as configuration
from siil.anatomy import CLASSES, indices_to_codes
from siil.datasets.cases import Case, write_cases
from siil.errors import SiilError
from siil.metrics import rows
from siil.metrics.case import score_case
from siil.run import files
from siil.run.pipeline import BY_NAME
from siil.run.provenance import versions
from siil.scan.grid import Grid, Volume
from siil.scan.volume import write_volume

VARIANTS, SHAPE, SPACING_MM = 60, (32, 20, 20), 6.0
GRID = Grid(SHAPE, (SPACING_MM,) * 3)


def variant(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """CT (HU), truth and prediction (indices), (Z, Y, X); some names are off by one, some vertebrae are missed."""
    random = np.random.default_rng(number)
    truth = np.zeros(SHAPE, np.uint8)
    first = int(random.integers(8, 18))
    for place in range(5):
        truth[26 - 6 * place : 31 - 6 * place, 7:13, 7:13] = first + place
    found = np.roll(truth, int(random.integers(0, 3)), axis=2)
    if number % 5 == 0:
        found[found > 0] += 1
    if number % 7 == 0:
        found[found == first] = 0
    ct = random.normal(-20, 30, SHAPE) + 300 * (truth > 0)
    return ct.astype(np.int16), truth, found


def scores(number: int) -> str:
    """The table of a scan called CASE."""
    _, truth, found = variant(number)
    frames = []
    for space in rows.SPACES:
        shown = truth if space == "ceiling" else found
        maps = (indices_to_codes(array) for array in (truth, shown))
        complete = dict.fromkeys(np.unique(indices_to_codes(truth[truth > 0])).tolist(), True)
        frame = score_case(*maps, (SPACING_MM,) * 3, complete=complete, tolerances_mm=(1, 2), identification_mm=20)
        frame.insert(0, "case", "CASE")
        frame.insert(1, "space", space)
        frame["flagged"] = [number % 5 == 0 and space != "ceiling" if s == "scan" else None for s in frame["scope"]]
        frames.append(frame)
    return rows.to_text(pd.concat(frames, ignore_index=True))


def record(stage: str, config: configuration.Config) -> str:
    """A run record as long as a real one."""
    values = configuration.sections(config, BY_NAME[stage].sections)
    inputs = {f"input{number}.nii.gz": "0" * 64 for number in range(6)}
    entry = {"stage": stage, "config": values, "code": "0" * 12, "revision": "f" * 40, "versions": versions()}
    entry |= {"device": "cpu", "seed": None, "inputs": inputs, "outputs": inputs, "seconds": 3.5}
    return json.dumps(entry | {"started": "2026-01-02T03:04:05Z"}, indent=2)


def core(path: Path, number: int) -> None:
    """Traces of the instance stream."""
    _, truth, _ = variant(number)
    random = np.random.default_rng(number)
    lines = np.zeros((CLASSES, SHAPE[0]), np.float32)
    classes = np.unique(truth[truth > 0]).astype(np.int64)
    for index in classes:
        lines[index] = 0.9 * (truth == index).any(axis=(1, 2))
    centres = np.random.default_rng(1).normal(size=(CLASSES, 64))
    embeddings = (centres[classes] + random.normal(0, 0.3, (len(classes), 64))).astype(np.float32)
    np.savez(path, localisation=lines, embeddings=embeddings, classes=classes)


def history() -> str:
    """Of a training of 100 epochs."""
    lines = [{"epoch": n + 1, "step": 250 * n, "phase": "train", "lr": 1e-3, "seconds": 60.0 * n, "total": 3 * 0.98**n}
             for n in range(100)]  # fmt: skip
    return pd.DataFrame(lines).to_csv(sep="\t", index=False)


def make(root: Path, scans: int, config: configuration.Config) -> None:
    """The folders of dataset and results. Scans of one variant are links to the same files."""
    from safetensors.numpy import save_file

    data, results, models = root / "data", root / "results", root / "models"
    for folder in (models, data / "img", data / "msk", data / "pap"):
        folder.mkdir(parents=True)
    for number in range(VARIANTS):
        ct, truth, found = variant(number)
        for name, array in (("img", ct), ("msk", indices_to_codes(truth)), ("work", indices_to_codes(found))):
            write_volume(models / f"{name}{number}.nii.gz", Volume(array, GRID))
        core(models / f"core{number}.npz", number)
    for stage in ("preprocess", "pap", "test", "evaluate", "train"):
        (models / f"{stage}.json").write_text(record(stage, config))
    (models / "history.tsv").write_text(history())
    centres = np.random.default_rng(1).normal(size=(CLASSES, 1, 64)).astype(np.float32)
    save_file({"core.ocpl.prototypes": np.repeat(centres, 4, axis=1)}, str(models / "weights.safetensors"))
    texts = [scores(number) for number in range(VARIANTS)]
    cases = [f"s{number:04d}" for number in range(scans)]
    row = asdict(Case(*[""] * 15))
    write_cases(data / "cases.tsv", [Case(**row | {"case": case, "patient": case, "image": case}) for case in cases])
    for number, case in enumerate(cases):
        for kind in ("img", "msk"):
            os.link(models / f"{kind}{number % VARIANTS}.nii.gz", data / kind / f"{case}.nii.gz")
        os.link(models / "preprocess.json", data / "img" / f"{case}.run.json")
        os.link(models / "pap.json", data / "pap" / f"{case}.run.json")
    for fold in range(FOLDS):
        files.write_text(data / f"folds/{fold}/testing.txt", "".join(f"{case}\n" for case in cases[fold::FOLDS]))
    for run, fold in itertools.product(runs(), range(FOLDS)):
        make_run(models, results, f"{run}/fold{fold}", cases, fold, texts)


def runs() -> Iterator[str]:
    for model, repeat in itertools.product(MODELS, range(REPEATS)):
        yield configuration.run_name(model, repeat)


def make_run(models: Path, results: Path, place: str, cases: list[str], fold: int, texts: list[str]) -> None:
    """What train, test and evaluate leave of one run and fold. Runs differ in which variant a case has."""
    folders = {step: results / step / place for step in ("train", "test", "evaluate")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    for name, model in (("run.json", "train.json"), ("history.tsv",) * 2, ("weights.safetensors",) * 2):
        os.link(models / model, folders["train"] / name)
    first = place.startswith(f"{MODELS[0]}/")
    for number in range(fold, len(cases), FOLDS):
        case = cases[number]
        chosen = number % VARIANTS if first else (number * 7 + sum(place.encode())) % VARIANTS
        for kind, end in (("work", "nii.gz"), ("core", "npz")):
            os.link(models / f"{kind}{chosen}.{end}", folders["test"] / f"{case}_{kind}.{end}")
        os.link(models / "test.json", folders["test"] / f"{case}_seg.run.json")
        (folders["evaluate"] / f"{case}.tsv").write_text(texts[chosen].replace("CASE", case))
        os.link(models / "evaluate.json", folders["evaluate"] / f"{case}.run.json")


def steps(root: Path, config: configuration.Config) -> Iterator[tuple[str, list[str]]]:
    """Verb and command, as the rules have them."""
    aggregate, tables, figures = (str(root / "results" / name) for name in ("aggregate", "tables", "figures"))
    whole = ["--results", str(root / "results"), "--data", str(root / "data")]
    page = str(root / "results/report/index.html")
    words = {
        "aggregate": [*whole, "--output", aggregate],
        "tables": ["--aggregate", aggregate, "--output", tables],
        "figures": ["--aggregate", aggregate, *whole, "--output", figures],
        "report": ["--aggregate", aggregate, "--tables", tables, "--figures", figures, *whole, "--output", page],
    }
    for verb, more in words.items():
        values = json.dumps(configuration.sections(config, BY_NAME[verb].sections))
        yield verb, [sys.executable, "-m", "siil", verb, *more, "--config", values]


def scrolled_s(page: Path, browser: str, folder: Path, *, wait_s: float = 120.0) -> float:
    """Seconds from opening a page in Chromium until it is drawn, scrolled by three screens, and drawn again.

    folder: for a copy of the page with the script that measures, and the browser's files. A page that is too short to
    be scrolled is an error, as one that takes longer than wait_s.
    """
    copy = folder / "measured.html"
    copy.write_text(page.read_text(encoding="utf-8") + _MEASURE, encoding="utf-8")
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr")
    command = [browser, *flags, "--window-size=1400,900", f"--user-data-dir={folder / 'profile'}", f"file://{copy}"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:
        assert running.stderr is not None
        timer = threading.Timer(wait_s, running.terminate)
        timer.start()
        found = next((said for line in running.stderr if (said := _SCROLLED.search(line))), None)
        timer.cancel()
        running.terminate()
    if found is None:
        raise SiilError(f"{browser} did not draw {page} and scroll it within {wait_s:.0f} s")
    return float(found[1]) / 1000


_SCROLLED = re.compile(r"scrolled after ([0-9.]+) ms")
_MEASURE = """<script>
requestAnimationFrame(() => requestAnimationFrame(() => {
  window.scrollTo({ top: 2700, behavior: "instant" });
  requestAnimationFrame(() => requestAnimationFrame(() => {
    if (window.scrollY === 2700) console.log(`scrolled after ${performance.now()} ms`);
  }));
}));
</script>
"""


def main() -> None:
    """Print a row per step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scans", type=int, default=1005)
    parser.add_argument("--keep", type=Path, help="folder to make all of it in, and to leave it there")
    options = parser.parse_args()
    chosen = {"models": MODELS, "repeats": REPEATS, "folds": tuple(range(FOLDS))}
    config = configuration.resolve("verse19").model_copy(update=chosen)
    with tempfile.TemporaryDirectory() as name:
        root = options.keep or Path(name)
        make(root, options.scans, config)
        print(f"{options.scans} scans, {len(MODELS) * REPEATS} runs; load {os.getloadavg()[0]:.1f}\n")
        print("| step | CPU | wall time | peak memory |\n|---|---|---|---|")
        for verb, command in steps(root, config):
            spent = cost(command, OMP_NUM_THREADS="1")
            print(f"| {verb} | {spent.cpu_s:.0f} s | {spent.wall_s:.0f} s | {spent.peak_gb:.2f} GB |", flush=True)
        page = root / "results/report/index.html"
        print(f"\npage: {page.stat().st_size / 1e6:.1f} MB")
        browser = shutil.which("chromium") or shutil.which("google-chrome")
        if browser:
            with tempfile.TemporaryDirectory() as beside:
                print(f"drawn and scrolled in Chromium after {scrolled_s(page, browser, Path(beside)):.1f} s")


if __name__ == "__main__":
    main()
