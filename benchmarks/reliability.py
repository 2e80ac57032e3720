"""Reliability figure: is a vertebra that is called right with 90 % right in 90 of 100 cases?

Drawn by benchmarks/calibrate.py from vertebrae of phantoms that the network never saw.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from siil.inference.calibration import Curve, calibrated, calibration_error, reliability
from siil.report.style import INK, MUTED, blank, model_colour, nothing_to_show, styled


@styled
def reliability_figure(vertebrae: Mapping[str, pd.DataFrame], curve: Curve) -> Figure:
    """Two panels, before and after calibration: share that is right over confidence, in bins of equal number.

    Args:
        vertebrae: name of a set of scans -> columns raw_confidence and right.
        curve: what was fitted.
    """
    sets = {name: frame for name, frame in vertebrae.items() if len(frame)}
    if not sets:
        return nothing_to_show("No vertebra was decoded.")
    figure = blank(height_in=4.2)
    before, after = figure.subplots(1, 2, sharey=True)
    for axis, title in (
        (before, "as decoded"),
        (after, f"calibrated (slope {curve.slope:.2f}, offset {curve.offset:.2f})"),
    ):
        axis.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle="--")
        axis.set(title=title, xlabel="confidence of a vertebra's name", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    before.set_ylabel("share that is right")
    for number, (name, frame) in enumerate(sets.items()):
        raw, right = frame["raw_confidence"].to_numpy(float), frame["right"].to_numpy(bool)
        fitted = np.array([calibrated(value, curve) for value in raw])
        for axis, values in ((before, raw), (after, fitted)):
            _draw(axis, values, right, name=name, colour=model_colour(number))
    for axis in (before, after):
        axis.legend(loc="upper left")
    return figure


def _draw(axis: Axes, confidence: np.ndarray, right: np.ndarray, *, name: str, colour: str) -> None:
    table = reliability(confidence, right)
    error = np.sqrt(table[:, 1] * (1 - table[:, 1]) / table[:, 2])
    label = f"{name}: {len(right)} vertebrae, error {calibration_error(confidence, right):.3f}"
    axis.errorbar(table[:, 0], table[:, 1], yerr=error, color=colour, ecolor=INK, elinewidth=0.6, marker="o",
                  markersize=3.5, linewidth=1, label=label)  # fmt: skip
