"""The table of metrics covers what score_case measures."""

from __future__ import annotations

import numpy as np

from siil.metrics.case import score_case
from siil.metrics.catalogue import metric, metrics_of
from siil.metrics.rows import KEYS


def test_every_number_that_is_measured_has_a_heading_with_its_unit() -> None:
    labels = np.full((2, 2, 2), 20, np.uint8)
    columns = score_case(labels, labels, (1.0, 1.0, 1.0), tolerances_mm=(0.5,)).columns
    facts = {*KEYS, "truth", "predicted", "complete", "nearest_label", "n_truth", "n_predicted", "shift"}
    unknown = {name for name in columns if metric(name) is None} - facts
    assert unknown == set()
    assert all(m.unit == "mm" or m.unit == "0-1" for m in metrics_of(columns))
    assert all(m.unit == "mm" for m in metrics_of(columns) if m.name.endswith("_mm"))


def test_a_tolerance_is_part_of_the_heading() -> None:
    found = metric("nsd_0.5mm")
    assert found is not None
    assert found.title == "NSD 0.5 mm (0-1)"
    assert metric("nearest_label") is None
