# ruff: noqa: T201
"""How long does a chest-abdomen CT take from file to label map, where, and how much memory? `siil predict` by parts.

    python -m benchmarks.predict --weights results/demo/train/siil/fold0/weights.safetensors
    python -m benchmarks.predict --weights patients --slices 500 --against /tmp/other --against-weights FILE
    python -m benchmarks.predict --random verse19 --slices 500 --set inference.localise=false
    python -m benchmarks.predict --weights patients --slices 500 --nnunet PYTHON --nnunet-spacing 1.5 --nnunet-windows 2

The scan is a phantom of 512 x 512 voxels a slice, 0.8 x 0.8 x 1 mm, from the pelvis up. Both looks and `--fast` have a
row each; `--against` is a checkout of another revision, which runs in turn with them. On a machine that others use, CPU
seconds compare better than whole ones. `--random` is a network of an experiment's sizes that nobody trained, for its
time (`--random-second-look` likewise). Memory beyond the smallest scan's is given per voxel. `--nnunet` runs nnU-Net's
default network and predictor on the same file (benchmarks/nnunet.py).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.processes import Cost, apart, cost
from siil import config as configuration
from siil.config.schema.dataset import PhantomSource
from siil.metrics.case import score_case
from siil.model.build import build_network
from siil.model.second_look import SecondLook, SecondLookWeights
from siil.model.weights import Weights, load_network, save_second_look, save_weights, weights_path
from siil.phantom import draw_anatomy, draw_view, render
from siil.phantom.layout import oriented
from siil.scan.volume import read_mask, write_volume

SIDE, PIXEL_MM, SLICE_MM = 512, 0.8, 1.0
PARTS = ("read", "preprocess", "network", "labels", "second look", "write")


def make_scan(folder: Path, slices: int, seed: int = 17, slice_mm: float = SLICE_MM) -> Path:
    """A phantom from the pelvis up, made once; its mask lies beside it."""
    path = folder / f"chest{slices}{'' if seed == 17 else f'-{seed}'}.nii.gz"
    if path.is_file():
        return path
    source = configuration.resolve("demo").dataset.sources["phantom_demo"]
    assert isinstance(source, PhantomSource)
    wide = {"lateral_fov_mm": (SIDE * PIXEL_MM, SIDE * PIXEL_MM), "fields_of_view": {"abdomen": 1.0}}
    recipe = source.recipe.model_copy(update=wide)
    anatomy = draw_anatomy(np.random.default_rng((seed, 0)), recipe, seed=seed)
    view = draw_view(np.random.default_rng((seed, 1)), recipe, anatomy)
    middle = np.array(view.origin_mm[:2]) + np.array(view.spacing_mm[1:]) * (np.array(view.shape[1:]) - 1) / 2
    corner = middle - PIXEL_MM * (SIDE - 1) / 2
    origin = (float(corner[0]), float(corner[1]), view.origin_mm[2])
    view = replace(view, shape=(slices, SIDE, SIDE), spacing_mm=(slice_mm, PIXEL_MM, PIXEL_MM))
    scan = render(anatomy, replace(view, origin_mm=origin, orientation="LPS"))
    write_volume(path.with_name(path.name.replace("chest", "truth")), oriented(scan, scan.mask))
    write_volume(path, oriented(scan, scan.hu))
    return path


def random_weights(folder: Path, experiment: str) -> Path:
    """Weights that nobody trained, of an experiment's sizes."""
    config = configuration.resolve(experiment, overrides={"dataset": "phantom_demo"})
    spacing = {"demo": 3.0}.get(experiment, 1.5)
    about = Weights(config.model, config.patch.size_vox, spacing, config.dataset.preprocess.window_hu)
    path = folder / f"{experiment}.safetensors"
    network = build_network(model=config.model, patch_vox=config.patch.size_vox, spacing_mm=spacing)
    save_weights(path, network, about=about)
    return path


def random_second_look(folder: Path) -> Path:
    """A second look that nobody trained, of the sizes of the configuration."""
    refine = configuration.resolve("pretrain").refine
    path = folder / "second_look.safetensors"
    about = SecondLookWeights(refine.widths, refine.spacing_mm, refine.margin_mm, refine.window_hu)
    save_second_look(path, SecondLook(refine.widths), about=about)
    return path


def spacing_of(weights: Path) -> float:
    """The spacing of the working grid in mm."""
    return load_network(weights)[1].spacing_mm


def ways(options: argparse.Namespace, weights: Path) -> Iterator[tuple[str, list[str], Path | None]]:
    """Name, words for `siil predict`, and checkout (None: this one) of each way to read the scan."""
    sets = [word for pair in options.set for word in ("--set", pair)]
    again = ["--second-look", str(options.second_look)] if options.second_look else []
    yield "siil", ["--weights", str(weights), *again, *sets], None
    yield "siil --fast", ["--weights", str(weights), "--fast", *sets], None
    if options.against:
        other = ["--weights", str(options.against_weights.resolve())] if options.against_weights else []
        yield options.against.name, other, options.against.resolve()


def row(name: str, slices: int, scan: Path, words: list[str], checkout: Path | None) -> Cost:
    """Read the scan one way and print its row."""
    environment = {"PYTHONPATH": str(checkout)} if checkout else {}  # and its folder: Python looks there first
    output = scan.parent / f"out-{slugged(name)}{slices}"
    command = [sys.executable, "-m", "siil", "predict", str(scan), "--output", str(output), *words]
    spent = cost(command, folder=checkout, **environment)
    parts = json.loads((output / "run.json").read_text())["parts_seconds"]
    each = [f"{parts[part]:.1f}" if part in parts else "" for part in PARTS]
    scores = apart(quality, output / f"chest{slices}_seg.nii.gz", scan.parent / f"truth{slices}.nii.gz")
    cells = [name, str(slices), f"{spent.wall_s:.1f}", f"{spent.cpu_s:.1f}", *each, f"{spent.peak_gb:.2f}", scores]
    print(f"| {' | '.join(cells)} |", flush=True)
    return spent


def slugged(name: str) -> str:
    """A name as part of a file's."""
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def main() -> None:
    """Predict scans of growing length and print a row of the table for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--random", metavar="EXPERIMENT", help="instead of --weights")
    parser.add_argument("--second-look", type=Path, metavar="FILE", help="its weights; else those that ship")
    parser.add_argument("--random-second-look", action="store_true", help="instead of --second-look")
    parser.add_argument("--slices", type=int, nargs="+", default=[125, 250, 500])
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "siil-benchmark")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="of another revision")
    parser.add_argument("--against-weights", type=Path, metavar="FILE")
    parser.add_argument("--nnunet", type=Path, metavar="PYTHON", help="of an environment with nnunetv2")
    parser.add_argument("--nnunet-spacing", type=float, metavar="MM", help="else that of the first look")
    parser.add_argument("--nnunet-windows", type=int, help="compute this many of its windows, scale to all")
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    options.folder.mkdir(parents=True, exist_ok=True)
    weights = (
        weights_path(options.weights) if options.weights else apart(random_weights, options.folder, options.random)
    )
    if options.random_second_look:
        options.second_look = apart(random_second_look, options.folder)
    spacing = apart(spacing_of, weights)
    print(f"{os.cpu_count()} cores; {weights.name} at {spacing:g} mm {' '.join(options.set)}\n")
    print(
        f"| way | slices | whole s | CPU s | {' | '.join(f'{part} s' for part in PARTS)} | peak GB | Dice | id. rate |"
    )
    print(f"|---|---|---|---|{'---|' * len(PARTS)}---|---|---|")
    spent: dict[tuple[str, int], Cost] = {}
    for slices in options.slices:
        scan = apart(make_scan, options.folder, slices)
        for name, words, checkout in ways(options, weights):
            spent[name, slices] = row(name, slices, scan, words, checkout)
        if options.nnunet:
            print(nnunet_row(options, scan, slices, options.nnunet_spacing or spacing), flush=True)
    print(f"\n{said(spent, options.slices)}")


def said(spent: dict[tuple[str, int], Cost], lengths: list[int]) -> str:
    """Each way beside the last, and how each grows with the scan."""
    names = list(dict.fromkeys(name for name, _ in spent))
    lines = []
    for slices in lengths:
        base = spent[names[-1], slices]
        for name in names[:-1]:
            one = spent[name, slices]
            lines.append(
                f"{slices} slices: {name} takes {one.wall_s / base.wall_s:.2f} x the time and "
                f"{one.cpu_s / base.cpu_s:.2f} x the CPU seconds of {names[-1]}"
            )
    few, many = min(lengths), max(lengths)
    for name in names if few < many else []:
        short, long = spent[name, few], spent[name, many]
        grown = (long.peak_gb - short.peak_gb) * 1e9 / ((many - few) * SIDE**2)
        lines.append(
            f"{name}: from {few} to {many} slices {long.cpu_s / short.cpu_s:.2f} x the CPU seconds, memory grows by "
            f"{grown:.1f} bytes per voxel of the scan"
        )
    return "\n".join(lines)


def nnunet_row(options: argparse.Namespace, scan: Path, slices: int, spacing: float) -> str:
    """The same scan through nnU-Net, with its mirroring and without: its predictor's time from file to file."""
    output = options.folder / f"nnunet{slices}"
    script = str(Path(__file__).with_name("nnunet.py"))
    words = ["--windows", str(options.nnunet_windows)] if options.nnunet_windows else []
    rows = []
    for name, more in (("nnU-Net", []), ("nnU-Net, no mirroring", ["--no-mirroring"])):
        command = [str(options.nnunet), script, str(scan), str(output), f"{spacing:g}", *words, *more]
        peak_gb = cost(command).peak_gb
        found = json.loads((output / "seconds.json").read_text())
        about = "~" if found["estimated"] else ""
        seconds = " | ".join(f"{found[part]:.1f}" if part in found else "" for part in PARTS)
        rows.append(f"| {name} | {slices} | {about}{found['whole']:.1f} | | {seconds} | {peak_gb:.2f} | | |")
    return "\n".join(rows)


def quality(found: Path, truth: Path) -> str:
    """Dice per vertebra and identification rate, so that the times are those of an answer."""
    expected, answer = read_mask(truth), read_mask(found)
    frame = score_case(expected.array, answer.array, expected.grid.spacing_mm)
    rows = frame[frame["scope"] == "vertebra"]
    scan = frame[frame["scope"] == "scan"].iloc[0]
    return f"{rows['dice'].mean():.3f} | {scan['id_rate_verse']:.3f}"


if __name__ == "__main__":
    main()
