"""The densities of phantom bone beside those of real bone: `python -m benchmarks.bone_density`.

Prints a table of docs/phantoms.md: HU on the working grid of 3 mm, in the bodies and behind them by depth below the
surface, and in the voxels around. Real scans are those with a mask below $SIIL_REAL_DATA (`*/ct.nii.gz`, `msk.nii.gz`);
phantoms are abdomens of `phantom_more`'s recipe, without uneven bone and with it. Whole T11 to L5 alone.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import ndimage

from siil import config as configuration
from siil.anatomy import BY_NAME
from siil.config.schema.dataset import Dataset, PhantomSource
from siil.phantom.layout import oriented
from siil.phantom.render import sample
from siil.scan.grid import Volume
from siil.scan.preprocess import preprocess
from siil.scan.volume import read_image, read_mask

LEVELS = ("T11", "T12", "L1", "L2", "L3", "L4", "L5")
DEPTHS_MM = (0.0, 3.5, 6.5, 99.0)
BODY_MM, ARCH_MM = 10.0, 20.0
"""what lies less far behind the thickest point of a vertebra is its body, what lies farther its arch"""
SEEDS = range(500, 512)

Places = dict[str, list[np.ndarray]]
"""by place: of every vertebra mean, 10th and 90th percentile of HU"""


def densities(image: Volume, mask: Volume, found: Places) -> None:
    """Add to `found` what one scan on the working grid shows."""
    spacing = image.grid.spacing_mm
    for code in (BY_NAME[name].code for name in LEVELS):
        own = mask.array == code
        slices = np.flatnonzero(own.any(axis=(1, 2)))
        if not len(slices) or slices[0] == 0 or slices[-1] == len(own) - 1:
            continue
        depth = ndimage.distance_transform_edt(own, sampling=spacing)
        middle = np.unravel_index(int(np.argmax(depth)), own.shape)[1]
        behind = ((np.arange(own.shape[1]) - middle) * spacing[1])[None, :, None]
        for place, part in (("body", own & (behind < BODY_MM)), ("arch", own & (behind > ARCH_MM))):
            for low, high in pairwise(DEPTHS_MM):
                _add(found[f"{place}, {_range(low, high)}"], image.array[part & (depth > low) & (depth <= high)])
        _add(found["around"], image.array[ndimage.binary_dilation(own) & (mask.array == 0)])


def _range(low: float, high: float) -> str:
    return f"deeper than {low:g} mm" if high == DEPTHS_MM[-1] else f"{low:g} to {high:g} mm deep"


def _add(rows: list[np.ndarray], hu: np.ndarray) -> None:
    if hu.size > 10:
        rows.append(np.array([hu.mean(), *np.percentile(hu, (10, 90))]))


def real(folder: Path, dataset: Dataset) -> Iterator[tuple[str, Places]]:
    """Every real scan with its mask, by name."""
    for path in sorted(folder.glob("*/ct.nii.gz")):
        found: Places = defaultdict(list)
        done = preprocess(read_image(path), read_mask(path.with_name("msk.nii.gz")), settings=dataset.preprocess)
        if done.mask is not None:
            densities(done.image, done.mask, found)
        yield path.parent.name, found


def phantoms(dataset: Dataset, *, uneven: float) -> Places:
    """Abdomens of SEEDS, a share `uneven` of them with uneven bone."""
    (source,) = dataset.sources.values()
    assert isinstance(source, PhantomSource)
    assert source.recipe.variety is not None
    variety = source.recipe.variety.model_copy(update={"uneven_bone": uneven, "implants": 0.0})
    recipe = source.recipe.model_copy(update={"fields_of_view": {"abdomen": 1.0}, "variety": variety})
    found: Places = defaultdict(list)
    for seed in SEEDS:
        scan = sample(seed, recipe)
        image, mask = (oriented(scan, array) for array in (scan.hu, scan.mask))
        done = preprocess(image, mask, settings=dataset.preprocess)
        assert done.mask is not None
        densities(done.image, done.mask, found)
    return found


def rows(columns: dict[str, Places]) -> list[str]:
    """The table in Markdown: mean (10th to 90th percentile) of HU, means over n vertebrae."""
    most = {name: max((len(values) for values in places.values()), default=0) for name, places in columns.items()}
    lines = ["| where | " + " | ".join(f"{name} (n = {most[name]})" for name in columns) + " |"]
    lines.append("|---" * (len(columns) + 1) + "|")
    for place in dict.fromkeys(place for places in columns.values() for place in places):
        cells = [
            "{:.0f} ({:.0f} to {:.0f})".format(*np.mean(p[place], axis=0)) if p.get(place) else "-"
            for p in columns.values()
        ]
        lines.append(f"| {place} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    named = os.environ.get("SIIL_REAL_DATA", "")
    if not named:
        raise SystemExit("SIIL_REAL_DATA: expected a folder of real scans, came nothing; set it (CONTRIBUTING.md)")
    dataset = configuration.resolve("phantom_more").dataset
    columns = {"phantoms, even": phantoms(dataset, uneven=0), "phantoms, uneven": phantoms(dataset, uneven=1)}
    sys.stdout.write("\n".join(rows(columns | dict(real(Path(named), dataset)))) + "\n")


if __name__ == "__main__":
    main()
