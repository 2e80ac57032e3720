#!/usr/bin/env bash
# What: where two label maps disagree, SimpleITK's voting and multi-label STAPLE write the next vertebra below.
# Versions: SimpleITK 2.5.7 (LabelVoting, MultiLabelSTAPLE), numpy 2.2.6.
# Guess: a tie becomes 29, behind the last vertebra of the table.
# So it is: a tie becomes the largest label that occurs in the maps plus one. A scan that ends at L2 (21) gets L3 (22) wherever L1 and
# L2 tie. With 255 (not annotated) in one of the maps it becomes 0 instead, and only a C++ warning says so.
# Matters: to whoever joins folds or raters with an even number of maps: a thin vertebra appears along the borders and is counted.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile simpleitk==2.5.7 numpy==2.2.6

venv/bin/python - <<'PYTHON'
import numpy as np
import SimpleITK as sitk


def image(first, second):
    array = np.zeros((4, 4, 4), np.uint8)
    array[1:3], array[3:] = first, second
    return sitk.GetImageFromArray(array)


def values(found):
    return np.unique(sitk.GetArrayFromImage(found)).tolist()


pair = [image(20, 21), image(21, 21)]
seen = {
    "voting": values(sitk.LabelVoting(pair)),
    "STAPLE": values(sitk.MultiLabelSTAPLE(pair)),
    "voting with 255": values(sitk.LabelVoting([image(20, 255), image(21, 255)])),
    "label given": values(sitk.LabelVoting(pair, 99)),
}
print(seen)
expected = {
    "voting": [0, 21, 22],
    "STAPLE": [0, 21, 22],
    "voting with 255": [0, 255],
    "label given": [0, 21, 99],
}
raise SystemExit(0 if seen == expected else 1)
PYTHON
