"""The sizes of phantoms beside those of real masks: `python -m siil.phantom.real_sizes`.

Prints the table of docs/phantoms.md from the real masks below $SIIL_REAL_DATA. Not a stage: the table is made when the
shapes change. measure.py says how both are measured.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np

from siil.anatomy import BY_CODE
from siil.config.schema.phantom import PhantomRecipe
from siil.phantom.anatomy import draw_anatomy
from siil.phantom.bones import bounds, label, solids
from siil.phantom.canvas import Canvas
from siil.phantom.measure import QUANTITIES, VOXEL_MM, measure, upright

Sizes = dict[str, list[np.ndarray]]
"""by name of the level: one array of QUANTITIES per vertebra; NaN where a quantity is not there, as C1's body"""

UNJUDGED: Final = {
    **dict.fromkeys([("L1", "volume"), ("L1", "body height")], "both masks' L1 is fractured"),
    **dict.fromkeys(
        [(f"T{n}", f"canal {q}") for n in (6, 7, 8) for q in ("width", "depth")], "one mask of 2 mm, 12 mm wide"
    ),
    **dict.fromkeys(
        [(f"C{n}", "up-down") for n in (3, 4, 5)], "two tall necks, an eighth farther from level to level than 193"
    ),
}
"""(level, quantity) whose real masks lie outside what is published for whole vertebrae, and why"""


def real_sizes(folder: Path) -> Sizes:
    """Sizes in the real masks below `folder` (`verse-labels*/**/*_seg-vert_msk.nii.gz`)."""
    import nibabel as nib

    sizes: Sizes = defaultdict(list)
    for path in sorted(folder.glob("verse-labels*/**/*_seg-vert_msk.nii.gz")):
        image = nib.as_closest_canonical(nib.load(path))
        codes = np.asarray(image.dataobj).T[:, ::-1, ::-1]
        mask = np.rint(upright(codes, np.array(image.header.get_zooms()[:3][::-1], float))).astype(np.uint8)
        for name, values in measure(mask).items():
            sizes[name].append(values)
    return sizes


def phantom_sizes(seeds: Iterable[int]) -> Sizes:
    """Sizes in whole spines without scoliosis, fractures and variants, one per seed, at VOXEL_MM."""
    recipe = PhantomRecipe(
        patients=1,
        first_seed=0,
        second_series=0,
        fields_of_view={"whole": 1},
        spacing_xy_mm=(VOXEL_MM, VOXEL_MM),
        spacing_z_mm=(VOXEL_MM, VOXEL_MM),
        lateral_fov_mm=(180, 180),
        rare_anatomy=0,
        scoliosis=0,
        fracture=0,
        contrast=0,
        variety=None,
    )
    sizes: Sizes = defaultdict(list)
    for seed in seeds:
        patient = draw_anatomy(np.random.default_rng((seed, 0)), recipe)
        corners = [bounds(level) for level in patient.levels]
        low = np.min([c[0] for c in corners], axis=0) - 3
        high = np.max([c[1] for c in corners], axis=0) + 3
        x, y, z = (int(v / VOXEL_MM) for v in high - low)
        canvas = Canvas(shape=(z, y, x), spacing_mm=(VOXEL_MM,) * 3, origin_mm=low)
        for name, values in measure(label(canvas, solids(canvas, patient))[0]).items():
            sizes[name].append(values)
    return sizes


def means(values: list[np.ndarray]) -> np.ndarray:
    """Mean of every quantity over the vertebrae that have it; NaN where none has."""
    table = np.array(values)
    there = ~np.isnan(table)
    return np.where(there.any(axis=0), np.where(there, table, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1), np.nan)


def rows(phantom: Sizes, real: Sizes) -> list[str]:
    """The table in Markdown, from the head down: phantom / real per quantity; in brackets what cannot be judged."""
    lines = ["| level | " + " | ".join(QUANTITIES) + " | n |", "|---" * (len(QUANTITIES) + 2) + "|"]
    for name in [v.name for v in BY_CODE.values() if v.name in real]:
        cells = []
        for quantity, ours, theirs in zip(QUANTITIES, means(phantom[name]), means(real[name]), strict=True):
            cell = "-" if np.isnan(theirs) else f"{ours:.1f} / {theirs:.1f}"
            cells.append(f"({cell})" if (name, quantity) in UNJUDGED else cell)
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {len(real[name])} |")
    return lines


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    named = os.environ.get("SIIL_REAL_DATA", "")
    if not named:
        raise SystemExit(
            "SIIL_REAL_DATA: expected the folder with verse-labels, came nothing; set it (CONTRIBUTING.md)"
        )
    sys.stdout.write("\n".join(rows(phantom_sizes(range(10)), real_sizes(Path(named)))) + "\n")


if __name__ == "__main__":
    main()
