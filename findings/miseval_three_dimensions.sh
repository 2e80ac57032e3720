#!/usr/bin/env bash
# What: MISeval's scores of label maps of volumes: wrong names score high, two empty masks are 1 in one score and 0 in the next.
# Versions: miseval 1.3.0, numpy 2.2.6.
# Guess: two empty masks are 1. Of wrong names and of volumes nothing was guessed.
# So it is: two empty masks: Dice 1, IoU 0. HD of a volume: AssertionError, 2D alone. A map whose five vertebrae all carry the next name:
# 20 of 26 classes have Dice 1, since codes that occur nowhere count as right, and the mean is 0.77.
# Matters: to whoever scores VerSe codes with it: the fewer vertebrae a scan holds, the better it scores.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile miseval==1.3.0 numpy==2.2.6

venv/bin/python - <<'PYTHON'
import numpy as np
from miseval import evaluate

truth = np.zeros((30, 8, 8), int)
for number in range(5):
    truth[3 + 5 * number : 7 + 5 * number, 2:6, 2:6] = 20 + number
shifted = np.where(truth > 0, truth + 1, 0)
empty = np.zeros_like(truth)
per_class = evaluate(truth, shifted, metric="DSC", multi_class=True, n_classes=26)
try:
    hausdorff = f"{evaluate(np.sign(truth), np.sign(truth), metric='HD'):.1f}"
except AssertionError:
    hausdorff = "AssertionError"
seen = {
    "both empty": [float(evaluate(empty, empty, metric=name)) for name in ("DSC", "IoU")],
    "classes at 1": int((per_class == 1).sum()),
    "mean Dice of wrong names": round(float(per_class.mean()), 2),
    "HD of a volume": hausdorff,
}
print(seen)
expected = {
    "both empty": [1.0, 0.0],
    "classes at 1": 20,
    "mean Dice of wrong names": 0.77,
    "HD of a volume": "AssertionError",
}
raise SystemExit(0 if seen == expected else 1)
PYTHON
