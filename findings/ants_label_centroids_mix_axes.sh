#!/usr/bin/env bash
# What: antspyx's label_image_centroids gives the axes of a label's centre in the wrong order, and mixes them unless the image is a cube.
# Versions: antspyx 0.6.3, numpy 2.3.5.
# Guess: the mean voxel [x, y, z] of each label (5.5, 12.5, 6.5); with physical=True its millimetres. Expected to be wrong unless the image is a cube.
# So it is: in a cube x and z are exchanged; in other shapes the numbers belong to no axis (10.17, 9.42, 6.67 in 20 x 24 x 16); physical=True changes nothing.
# Matters: to whoever takes the centres of vertebrae, or distances between them, from ANTs: all numbers look like places within the image.

set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --no-compile antspyx==0.6.3 numpy==2.3.5

venv/bin/python - <<'PYTHON'
import ants
import numpy as np

seen = {}
for shape in ((20, 20, 20), (24, 20, 20), (20, 24, 16)):
    labels = np.zeros(shape, np.float32)
    labels[4:8, 10:16, 6:8] = 20
    image = ants.from_numpy(labels, origin=(100.0, 50.0, 20.0), spacing=(2.0, 2.0, 2.0))
    for physical in (False, True):
        found = ants.label_image_centroids(image, physical=physical)
        seen[(shape, physical)] = np.round(np.asarray(found["vertices"])[0], 2).tolist()
print("truth", [5.5, 12.5, 6.5], "voxels", [111.0, 75.0, 33.0], "mm")
for key, place in seen.items():
    print(*key, place)
cube, long, other = [6.5, 12.5, 5.5], [12.5, 11.83, 4.5], [10.17, 9.42, 6.67]
expected = dict(zip(seen, (cube, cube, long, long, other, other)))
raise SystemExit(0 if seen == expected else 1)
PYTHON
