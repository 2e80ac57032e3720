#!/usr/bin/env bash
# What: with close=True zmesh returns every vertex one voxel farther along each axis than with close=False.
# Versions: zmesh 1.15.0, numpy 2.2.6.
# Guess: edges of a box lie at half voxels, as those of scikit-image, closed or not.
# So it is: a box of voxels 2 to 7 spans 1.5 to 7.5 when open and 2.5 to 8.5 when closed; with anisotropy (3, 1, 1) the
# first axis is 3 mm off. The layer that is put around the array to close it is not taken off again.
# Matters: to whoever lays the mesh of a cut vertebra, which only close=True makes watertight, over the scan or beside a mesh of another label.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile zmesh==1.15.0 numpy==2.2.6

venv/bin/python - <<'PYTHON'
import numpy as np
import zmesh

labels = np.zeros((12, 12, 12), np.uint8)
labels[2:8, 2:8, 2:8] = 20
seen = {}
for anisotropy in ((1, 1, 1), (3, 1, 1)):
    for close in (False, True):
        mesher = zmesh.Mesher(anisotropy)
        mesher.mesh(labels, close=close)
        points = mesher.get(20).vertices
        seen[anisotropy, close] = (points.min(axis=0).tolist(), points.max(axis=0).tolist())
        print(f"anisotropy {anisotropy}, close={close}: from {seen[anisotropy, close][0]} to {seen[anisotropy, close][1]}")
expected = {
    ((1, 1, 1), False): ([1.5, 1.5, 1.5], [7.5, 7.5, 7.5]),
    ((1, 1, 1), True): ([2.5, 2.5, 2.5], [8.5, 8.5, 8.5]),
    ((3, 1, 1), False): ([4.5, 1.5, 1.5], [22.5, 7.5, 7.5]),
    ((3, 1, 1), True): ([7.5, 2.5, 2.5], [25.5, 8.5, 8.5]),
}
raise SystemExit(0 if seen == expected else 1)
PYTHON
