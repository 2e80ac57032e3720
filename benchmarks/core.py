# ruff: noqa: T201
"""Does the core earn its place on patients? The network with it, without parts of it and without it, at equal time.

    python -m benchmarks.core --data data/pretrain --lists data/pretrain/folds/0 --without lidc0001 ts-example-ct \\
        --real FOLDER --output OUT
    python -m benchmarks.core --output OUT                                  table and figure of what is there already

Each model is trained from nothing on the fold's scans but those of `--without`, with each seed, and judged on the
labelled scans in `--real` by their first look (benchmarks/labels.py), on the scan's own grid. A killed run goes on.
Scans without labels teach too where the lists have a source `scans` (what `siil adapt` made of them).
Steps are those of equal CPU time (`python -m benchmarks.models`). The head for sacrum and ribs is off, and so is the
running mean of the weights, for which these steps are too few.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.processes import cost
from siil.datasets.folds import Fold, read_list, read_sources, write_fold
from siil.report.style import INK, blank, model_colour, save, styled
from siil.run import files
from siil.run.tsv import read_table

EPOCHS: Final = 8
MODELS: Final = {
    "siil": (100, 0.006),
    "no_ocpl": (100, 0.006),
    "no_mill": (96, 0.006),
    "trunk": (144, 0.006),
    "unet": (125, 0.003),
}
"""Model -> steps of an epoch, and learning rate."""
SHARES: Final = {"phantoms": 4, "patients": 2, "scans": 2}
SCORES: Final = {"id_rate_verse": "identification", "dice": "Dice", "binary_dice": "binary Dice"}


def write_lists(lists: Path, without: list[str], output: Path) -> Path:
    """The fold's lists without the scans that are judged."""
    training, validation = (
        tuple(case for case in read_list(lists / part) if not any(name in case for name in without))
        for part in ("training.txt", "validation.txt")
    )
    write_fold(output, Fold(training, validation, testing=()))
    files.write_text(output / "sources.tsv", (lists / "sources.tsv").read_text(encoding="utf-8"))
    return output


def train(model: str, seed: int, *, data: Path, lists: Path, output: Path) -> None:
    """One training from nothing."""
    steps, rate = MODELS[model]
    there = set(read_sources(lists / "sources.tsv").values())
    shares = ", ".join(f"{name}: {share}" for name, share in SHARES.items() if name in there)
    values = {
        "train.rounds": "[]",
        "train.epochs": EPOCHS,
        "train.steps_per_epoch": steps,
        "train.learning_rate": rate,
        "train.seed": seed,
        "train.shares": f"{{{shares}}}",
        "train.average": 0,
        "train.encoder_epochs": 0.2,
        "train.teacher_epochs": 0.4,
        "train.validate_every_epochs": EPOCHS,
        "model.landmarks": "false",
    }
    places = ["--data", str(data), "--lists", str(lists), "--output", str(output)]
    sets = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    cost([sys.executable, "-m", "siil", "train", "--experiment", "pretrain", "--model-config", model, *places, *sets])


def scores(folder: Path) -> pd.DataFrame:
    """A row per training: model, seed and the means over the scans that were judged."""
    rows = []
    for path in sorted(folder.glob("*/scans.tsv")):
        model, seed = path.parent.name.rsplit("-", 1)
        means = {name: read_table(path)[f"input_{name}"].mean() for name in SCORES}
        rows.append({"model": model, "seed": int(seed), **means})
    return pd.DataFrame(rows)


def table(rows: pd.DataFrame) -> str:
    """Mean, and smallest to largest, over the seeds."""
    lines = [f"| model | steps | seeds | {' | '.join(SCORES.values())} |", f"|---|---|---|{'---|' * len(SCORES)}"]
    for model in MODELS:
        mine = rows[rows["model"] == model]
        if len(mine):
            cells = [f"{mine[n].mean():.3f} ({mine[n].min():.3f} to {mine[n].max():.3f})" for n in SCORES]
            lines.append(f"| {model} | {EPOCHS * MODELS[model][0]} | {len(mine)} | {' | '.join(cells)} |")
    return "\n".join(lines)


@styled
def drawn(rows: pd.DataFrame) -> Figure:
    """A point per training, a line at the mean."""
    figure = blank(height_in=2.6)
    axes: list[Axes] = list(figure.subplots(1, len(SCORES)))
    names = [model for model in MODELS if (rows["model"] == model).any()]
    for axis, (score, words) in zip(axes, SCORES.items(), strict=True):
        for place, model in enumerate(names):
            mine = rows[rows["model"] == model][score]
            axis.plot([place] * len(mine), mine, "o", color=model_colour(place))
            axis.hlines(mine.mean(), place - 0.3, place + 0.3, color=INK, linewidth=1)
        axis.set_xticks(range(len(names)), names)
        axis.set_ylim(0, 1)
        axis.set_title(words)
    return figure


def main() -> None:
    """Train and judge what is not there yet, then print the table and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--lists", type=Path)
    parser.add_argument("--without", nargs="+", default=[], help="parts of the names of cases that are judged")
    parser.add_argument("--real", type=Path, help="folder of labelled scans, one folder each")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    given = options.data and options.lists and options.real
    if not given and (options.data or options.lists or options.real):
        parser.error("expected --data, --lists and --real, all three to train or none to draw")
    lists = write_lists(options.lists, options.without, options.output / "lists") if given else None
    for seed in options.seeds if lists else ():
        for model in MODELS:
            weights = options.output / "train" / f"{model}-{seed}" / "weights.safetensors"
            if not weights.is_file():
                train(model, seed, data=options.data, lists=lists, output=weights.parent)
            judged = options.output / "labels" / f"{model}-{seed}"
            words = ["--weights", str(weights), "--real", str(options.real), "--output", str(judged)]
            cost([sys.executable, "-m", "benchmarks.labels", *words, "--set", "inference.refine=false"])
    rows = scores(options.output / "labels")
    if rows.empty:
        parser.error(f"{options.output}: no labels/*/scans.tsv there; train first, with --data, --lists and --real")
    print(table(rows))
    save(drawn(rows), options.output, "core")


if __name__ == "__main__":
    main()
