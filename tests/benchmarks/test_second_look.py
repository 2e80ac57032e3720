"""The table of both looks: names given right, means over vertebrae."""

from __future__ import annotations

import numpy as np
import pandas as pd

from benchmarks.second_look import named_right, table


def test_a_label_is_called_as_the_vertebra_that_it_covers_most_of():
    truth = np.array([20, 20, 20, 21, 21, 21, 0, 0], np.uint8)
    found = np.array([19, 19, 20, 20, 20, 20, 20, 22], np.uint8)
    # 20 covers 3 of L2 and 1 of L1; 19 covers 2 of L1; 22 covers none
    assert named_right(truth, found).tolist() == [20, 20, 21, 21, 21, 21, 21, 0]


def test_what_nothing_covers_stays_missing_and_unlabelled_voxels_are_no_vertebra():
    truth = np.array([20, 20, 255, 255], np.uint8)
    assert named_right(truth, np.array([0, 0, 21, 21], np.uint8)).tolist() == [0, 0, 0, 0]


def test_the_table_has_means_over_vertebrae_and_surfaces_of_whole_ones():
    rows = []
    for look, dice in (("first", 0.8), ("second", 0.9), ("ceiling", 0.92)):
        rows.append({"label": "L1", "complete": True, "dice": dice, "assd_mm": 0.5, "look": look})
        rows.append({"label": "L2", "complete": False, "dice": dice - 0.2, "assd_mm": 9.0, "look": look})
    frame = pd.DataFrame(rows).assign(case="a", group="phantom", field="lumbar")
    text = table(frame)
    assert "| phantoms, lumbar | 1 | 2 | 0.700 | 0.800 | 0.820 | 0.50 | 0.50 | 0.50 |" in text
