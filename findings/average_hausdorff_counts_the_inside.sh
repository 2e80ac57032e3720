#!/usr/bin/env bash
# What: the average Hausdorff distance of SimpleITK and of pymia is a mean over all voxels of the mask, the inside too.
# Versions: SimpleITK 2.5.7 (HausdorffDistanceImageFilter), pymia 0.3.4 (AverageDistance), numpy 2.2.6.
# Guess: a mean over the surface, as ASSD.
# So it is: two cubes that are 2 mm apart along one axis: with a side of 6 mm 0.5, of 24 mm 0.125: the same shift, a quarter of the distance.
# Matters: to whoever sets "average distance" of papers side by side, or of large beside small vertebrae: L5 looks better than C3.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile simpleitk==2.5.7 pymia==0.3.4 numpy==2.2.6

venv/bin/python - <<'PYTHON'
import numpy as np
import SimpleITK as sitk
from pymia.evaluation.evaluator import SegmentationEvaluator
from pymia.evaluation.metric import AverageDistance

seen = {}
for side in (6, 24):
    masks = []
    for start in (4, 6):
        mask = np.zeros((side + 8, side + 8, side + 12), np.uint8)
        mask[4 : 4 + side, 4 : 4 + side, start : start + side] = 1
        masks.append(sitk.GetImageFromArray(mask))
    both = sitk.HausdorffDistanceImageFilter()
    both.Execute(*masks)
    pymia = SegmentationEvaluator([AverageDistance()], {1: "vertebra"})
    pymia.evaluate(masks[1], masks[0], "pair")
    found = [both.GetHausdorffDistance(), both.GetAverageHausdorffDistance(), pymia.results[0].value]
    seen[side] = [round(float(value), 4) for value in found]
    print(f"cube of {side} mm, 2 mm apart: Hausdorff {seen[side][0]}, average by SimpleITK {seen[side][1]}, by pymia {seen[side][2]}")
expected = {6: [2.0, 0.5, 0.5], 24: [2.0, 0.125, 0.125]}
raise SystemExit(0 if seen == expected else 1)
PYTHON
