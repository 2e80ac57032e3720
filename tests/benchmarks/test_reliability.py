"""The reliability figure holds both sets before and after calibration."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from benchmarks.reliability import reliability_figure
from siil.inference.calibration import Curve


def test_both_panels_show_every_set_with_its_error() -> None:
    raw = np.repeat([0.2, 0.9], 50)
    frame = pd.DataFrame({"raw_confidence": raw, "right": np.arange(100) % 2 == 0})  # half of each is right
    figure = reliability_figure({"fitted": frame, "none": frame[:0]}, Curve(1, 0))
    words = [text.get_text() for text in figure.findobj(Text)]
    assert words.count("fitted: 100 vertebrae, error 0.350") == 2  # |0.2 - 0.5| and |0.9 - 0.5|
    line = figure.axes[0].containers[0].lines[0]
    assert line.get_xdata() == pytest.approx([0.2] * 5 + [0.9] * 5)
    assert line.get_ydata() == pytest.approx([0.5] * 10)


def test_a_curve_moves_the_points_of_the_right_panel() -> None:
    frame = pd.DataFrame({"raw_confidence": [0.9] * 4, "right": [True, True, True, False]})
    figure = reliability_figure({"fitted": frame}, Curve(0.5, 0))
    assert figure.axes[1].containers[0].lines[0].get_xdata() == pytest.approx([0.75] * 4)


def test_no_vertebra_says_so() -> None:
    figure = reliability_figure({}, Curve(1, 0))
    assert any("No vertebra was decoded" in text.get_text() for text in figure.findobj(Text))
