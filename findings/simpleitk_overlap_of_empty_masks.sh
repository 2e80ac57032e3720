#!/usr/bin/env bash
# What: SimpleITK's overlap measures of two empty label maps are not 0, 1 or NaN but infinity and the largest double.
# Versions: SimpleITK 2.5.7 (LabelOverlapMeasuresImageFilter), numpy 2.2.6.
# Guess: NaN, or 0.
# So it is: both empty: Dice inf, Jaccard 1.8e308. Prediction empty, as second image: Dice 0 and the false negative error 1.8e308; and
# with one of five vertebrae missed that error is 0, because it is relative to the second image: the truth has to be the second.
# A label in neither map has Dice 0 and a C++ warning.
# Matters: to whoever averages over scans: one scan without a vertebra makes the mean of Dice infinite.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile simpleitk==2.5.7 numpy==2.2.6

venv/bin/python - <<'PYTHON'
import numpy as np
import SimpleITK as sitk

truth = np.zeros((30, 8, 8), np.uint8)
for number in range(5):
    truth[3 + 5 * number : 7 + 5 * number, 2:6, 2:6] = 20 + number
missed = np.where(truth == 24, 0, truth).astype(np.uint8)
empty = np.zeros_like(truth)


def measure(one, two):
    found = sitk.LabelOverlapMeasuresImageFilter()
    found.Execute(sitk.GetImageFromArray(one), sitk.GetImageFromArray(two))
    return [found.GetDiceCoefficient(), found.GetJaccardCoefficient(), found.GetFalseNegativeError()]


seen = {
    "both empty": measure(empty, empty),
    "truth, empty": measure(truth, empty),
    "truth, one missed": measure(truth, missed),
    "one missed, truth": measure(missed, truth),
}
for name, (dice, jaccard, negative) in seen.items():
    print(f"{name}: Dice {dice:.3g}, Jaccard {jaccard:.3g}, false negative {negative:.3g}")
largest = np.finfo(float).max
expected = {
    "both empty": [np.inf, largest, largest],
    "truth, empty": [0.0, 0.0, largest],
    "truth, one missed": [0.889, 0.8, 0.0],
    "one missed, truth": [0.889, 0.8, 0.2],
}
close = all(np.allclose(seen[name], expected[name], atol=1e-3) for name in expected)
raise SystemExit(0 if close else 1)
PYTHON
