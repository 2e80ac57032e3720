# ruff: noqa: T201
"""How sure may the decoding call itself? Fits the margin of `uncertain` and the curve of the confidences.

    python -m benchmarks.calibrate --fit OUT_A --confirm OUT_B --output OUT

OUT_A and OUT_B are folders of benchmarks/labels.py: phantoms that the network never saw, chosen on one half, confirmed
on the other. Prints the values for `inference.decode` of the configuration, what they do to both halves, and how many
scans each margin would flag; draws OUT/reliability.png and .pdf. A scan is wrong where a vertebra carries the name of
another (`--wrong all`: or where one is missed or invented).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.label_table import one_row_per_scan, vertebra_rows
from benchmarks.reliability import reliability_figure
from siil import config as configuration
from siil.config.schema.inference import Decode
from siil.errors import SiilError
from siil.inference.calibration import (
    Curve,
    Limit,
    calibrated,
    calibration_error,
    fit_curve,
    fit_margin,
    limit,
)
from siil.report.style import save

_COLUMNS = {"names": "work_names_right", "all": "work_all_right"}


def margins(scans: pd.DataFrame, wrong: str, decode: Decode) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Margins (infinite without a rival), which scans are wrong, and which are flagged whatever the margin.

    A scan without a vertebra is flagged; so is one with an unusual answer (T13, L6, no T12), one where the network
    alone names more than a share of the vertebrae otherwise, and what was flagged with a margin that `decode`, the
    settings of the measurement, takes for large enough.
    """
    margin = scans["margin"].fillna(np.inf).to_numpy(float)
    nothing = scans["n_predicted"].to_numpy() == 0
    unusual = scans["enumeration"].str.contains("with").to_numpy(bool) & decode.uncertain_unusual
    renamed = scans["renamed"].to_numpy(float) > decode.uncertain_renamed
    said = scans["flagged"].to_numpy(bool) & (margin >= decode.uncertain_margin)
    return margin, ~scans[_COLUMNS[wrong]].to_numpy(bool), nothing | unusual | renamed | said


def words(name: str, found: Limit) -> str:
    """A row of the table of margins."""
    total = found.flagged + found.passed
    share = found.wrong / found.passed if found.passed else float("nan")
    return (
        f"| {name} | {found.margin:.2f} | {total} | {found.flagged} ({found.flagged / total:.1%}) | "
        f"{found.wrong} of {found.passed} ({share:.1%}, at most {found.upper:.1%}) |"
    )


def curve_words(name: str, vertebrae: pd.DataFrame, curve: Curve) -> str:
    """A row of the table of confidences."""
    raw, right = vertebrae["raw_confidence"].to_numpy(float), vertebrae["right"].to_numpy(bool)
    after = np.array([calibrated(value, curve) for value in raw])
    before_error, after_error = (calibration_error(values, right) for values in (raw, after))
    scores = [float(np.mean((values - right) ** 2)) for values in (raw, after)]
    return (
        f"| {name} | {len(raw)} | {right.mean():.4f} | {raw.mean():.4f} → {after.mean():.4f} | "
        f"{before_error:.4f} → {after_error:.4f} | {scores[0]:.4f} → {scores[1]:.4f} |"
    )


def report(fit: Path, confirm: Path | None, output: Path, *, wrong: str, tolerated: float, decode: Decode) -> str:
    """Fit on one folder, confirm on the other, draw; returns what is printed."""
    sides = {"fitted": fit, **({"confirmed": confirm} if confirm else {})}
    scans = {name: one_row_per_scan(folder / "scans") for name, folder in sides.items()}
    vertebrae = {name: vertebra_rows(folder / "scans") for name, folder in sides.items()}
    first = vertebrae["fitted"]
    curve = fit_curve(first["raw_confidence"].to_numpy(float), first["right"].to_numpy(bool))
    best = fit_margin(*margins(scans["fitted"], wrong, decode), tolerated=tolerated)
    lines = [
        "inference:",
        "  decode:",
        f"    uncertain_margin: {best.margin:.3g}",
        f"    confidence_slope: {curve.slope:.3g}",
        f"    confidence_offset: {curve.offset:.3g}",
        "",
        "| scans | margin | n | flagged | wrong among those that are not (95 % interval) |",
        "|---|---|---|---|---|",
    ]
    for name, frame in scans.items():
        here = margins(frame, wrong, decode)
        options = sorted({0.0, 1.0, 2.0, 3.0, 5.0, 8.0, best.margin})
        lines += [words(name, limit(option, *here)) for option in options if np.isfinite(option)]
    lines += [
        "",
        "| vertebrae | n | right | mean confidence | calibration error | Brier |",
        "|---|---|---|---|---|---|",
    ]
    lines += [curve_words(name, frame, curve) for name, frame in vertebrae.items()]
    save(reliability_figure(vertebrae, curve), output, "reliability")
    return "\n".join(lines)


def main() -> None:
    """Fit, confirm, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", type=Path, required=True, help="folder of benchmarks/labels.py")
    parser.add_argument("--confirm", type=Path, help="another one, of other scans")
    parser.add_argument("--output", type=Path, required=True, help="folder for reliability.png and .pdf")
    parser.add_argument("--wrong", choices=tuple(_COLUMNS), default="names")
    parser.add_argument("--tolerated", type=float, default=0.01, help="share of wrong scans among those not flagged")
    parser.add_argument("--experiment", default="pretrain", help="with whose inference.decode both were measured")
    options = parser.parse_args()
    try:
        decode = configuration.resolve(options.experiment).inference.decode
        said = report(
            options.fit,
            options.confirm,
            options.output,
            wrong=options.wrong,
            tolerated=options.tolerated,
            decode=decode,
        )
    except SiilError as error:
        raise SystemExit(f"ERROR: {error}") from None
    print(said)


if __name__ == "__main__":
    main()
