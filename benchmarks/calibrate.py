# ruff: noqa: T201
"""How sure may the decoding call itself? Fits the margin of `uncertain` and the curve of the confidences.

    python -m benchmarks.calibrate --fit OUT_A [OUT_C ...] --confirm OUT_B --output OUT

The folders are those of benchmarks/labels.py: phantoms and real scans that the network never saw, chosen on one side,
confirmed on the other. Prints the values for `inference.decode` of the configuration, what they do to both sides, and
how many scans each margin would flag; draws OUT/reliability.png and .pdf. A scan is wrong where a vertebra carries the
name of another (`--wrong all`: or where one is missed or invented). Scans whose rare anatomy nothing in them can show
are left out: no flag could be right about them.

Real scans among those to fit (`labels --real FOLDER`, one folder in it per patient) are judged by leaving patients out:
each by the margin and the curve that all others give. Weights that learnt from some of them must do so too: measure
each patient with weights that did not, into folders of their own, and give --fit all of these.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.label_table import one_row_per_scan, vertebra_rows
from benchmarks.reliability import reliability_figure
from siil import config as configuration
from siil.config.schema.inference import Decode
from siil.errors import DatasetError, SiilError
from siil.inference.calibration import (
    Curve,
    Limit,
    calibrated,
    calibration_error,
    fit_curve,
    fit_margin,
    limit,
    upper_share,
)
from siil.report.style import save

_COLUMNS = {"names": "work_names_right", "all": "work_all_right"}


def margins(scans: pd.DataFrame, wrong: str, decode: Decode) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Margins (infinite without a rival), which scans are wrong, and which are flagged whatever the margin.

    A scan without a vertebra is flagged; so is one with an unusual answer (T13, L6, no T12), one whose first rival fits
    better (margin 0: it cannot be counted there), one where the network alone names more than a share of the vertebrae
    otherwise, and what was flagged with a margin that is large enough for `decode`, the settings of the measurement.
    A scan that begins with C1 needs less margin; what it needs less is added to its margin.
    """
    c1 = scans["enumeration"].str.match(r"C1\b").to_numpy(bool)
    margin = scans["margin"].fillna(np.inf).to_numpy(float)
    hidden = margin <= 0
    margin = margin + c1 * (decode.uncertain_margin - decode.uncertain_margin_c1)
    nothing = scans["n_predicted"].to_numpy() == 0
    unusual = scans["enumeration"].str.contains("with").to_numpy(bool) & decode.uncertain_unusual
    renamed = scans["renamed"].to_numpy(float) > decode.uncertain_renamed
    said = scans["flagged"].to_numpy(bool) & (margin >= decode.uncertain_margin)
    return margin, ~scans[_COLUMNS[wrong]].to_numpy(bool), nothing | unusual | hidden | renamed | said


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


@dataclass(frozen=True, slots=True)
class Side:
    """What is fitted or confirmed: a row per scan, a row per vertebra, and how many scans were left out."""

    scans: pd.DataFrame
    vertebrae: pd.DataFrame
    hidden: int


def read_side(folders: Sequence[Path]) -> Side:
    """The scans of all folders, without those whose rare anatomy nothing in them can show."""
    scans = pd.concat([one_row_per_scan(folder / "scans") for folder in folders], ignore_index=True)
    twice = scans["case"][scans["case"].duplicated()].tolist()
    if twice:
        raise DatasetError(f"{twice[0]}: stands in two of the folders to fit; give each scan once")
    kept = scans[~scans["hidden"]]
    vertebrae = pd.concat([vertebra_rows(folder / "scans") for folder in folders], ignore_index=True)
    return Side(kept, vertebrae[vertebrae["case"].isin(kept["case"])], len(scans) - len(kept))


def doubted(side: Side, margin: float, wrong: str, decode: Decode) -> float:
    """Share of the vertebrae of flagged scans whose names are right; 1 where none is flagged."""
    margin_of, _, always = margins(side.scans, wrong, decode)
    flagged = side.scans["case"][always | (margin_of < margin)]
    rights = side.vertebrae.loc[side.vertebrae["case"].isin(flagged), "right"].to_numpy(bool)
    return float(rights.mean()) if len(rights) else 1.0


def left_out(
    side: Side, wrong: str, decode: Decode, *, tolerated: float
) -> tuple[Limit, np.ndarray, np.ndarray] | None:
    """Real patients, each judged by what a fit on all other scans gives; None without two of them.

    Returns what their margins do together (`margin`: the largest), the calibrated confidences, and which are right.
    """
    real = side.scans[side.scans["group"] == "real"]["case"].tolist()
    if len(real) < 2:
        return None
    found, confidences, rights = [], [], []
    for case in real:
        here, mine = side.scans["case"] == case, side.vertebrae["case"] == case
        others, own = side.vertebrae[~mine], side.vertebrae[mine]
        curve = fit_curve(others["raw_confidence"].to_numpy(float), others["right"].to_numpy(bool))
        best = fit_margin(*margins(side.scans[~here], wrong, decode), tolerated=tolerated)
        found.append(limit(best.margin, *margins(side.scans[here], wrong, decode)))
        confidences += [calibrated(value, curve) for value in own["raw_confidence"]]
        rights += own["right"].tolist()
    passed, bad = sum(one.passed for one in found), sum(one.wrong for one in found)
    largest = max(one.margin for one in found)
    together = Limit(largest, len(real) - passed, passed, bad, upper_share(bad, passed))
    return together, np.array(confidences), np.array(rights, bool)


def report(
    fit: Sequence[Path], confirm: Sequence[Path], output: Path, *, wrong: str, tolerated: float, decode: Decode
) -> str:
    """Fit on some folders, confirm on others, draw; returns what is printed."""
    sides = {"fitted": read_side(fit), **({"confirmed": read_side(confirm)} if confirm else {})}
    first = sides["fitted"].vertebrae
    curve = fit_curve(first["raw_confidence"].to_numpy(float), first["right"].to_numpy(bool))
    best = fit_margin(*margins(sides["fitted"].scans, wrong, decode), tolerated=tolerated)
    patients = left_out(sides["fitted"], wrong, decode, tolerated=tolerated)
    lines = [
        "inference:",
        "  decode:",
        f"    uncertain_margin: {best.margin:.3g}",
        f"    confidence_slope: {curve.slope:.3g}",
        f"    confidence_offset: {curve.offset:.3g}",
        f"    confidence_doubted: {doubted(sides['fitted'], best.margin, wrong, decode):.2f}",
        "",
        "| scans | margin | n | flagged | wrong among those that are not (95 % interval) |",
        "|---|---|---|---|---|",
    ]
    for name, side in sides.items():
        here = margins(side.scans, wrong, decode)
        options = sorted({0.0, 1.0, 2.0, 3.0, 5.0, 8.0, best.margin})
        lines += [words(name, limit(option, *here)) for option in options if np.isfinite(option)]
    lines += [words("real, each patient left out", patients[0])] if patients else []
    lines += [
        "",
        "| vertebrae | n | right | mean confidence | calibration error | Brier |",
        "|---|---|---|---|---|---|",
    ]
    lines += [curve_words(name, side.vertebrae, curve) for name, side in sides.items()]
    lines += [patients_words(*patients[1:])] if patients and len(patients[1]) else []
    lines += [
        "",
        *(f"{name}: {side.hidden} scans left out, whose rare anatomy nothing shows" for name, side in sides.items()),
    ]
    save(reliability_figure({name: side.vertebrae for name, side in sides.items()}, curve), output, "reliability")
    return "\n".join(lines)


def patients_words(confidence: np.ndarray, right: np.ndarray) -> str:
    """The row of the table of confidences for patients that were left out."""
    values = (right.mean(), confidence.mean(), calibration_error(confidence, right), np.mean((confidence - right) ** 2))
    return f"| real, each patient left out | {len(right)} | {' | '.join(f'{value:.4f}' for value in values)} |"


def main() -> None:
    """Fit, confirm, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", type=Path, nargs="+", required=True, help="folders of benchmarks/labels.py")
    parser.add_argument("--confirm", type=Path, nargs="+", default=[], help="others, of other scans")
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
