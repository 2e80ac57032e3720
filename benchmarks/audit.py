# ruff: noqa: T201
"""Does an audit find what is wrong in a labelled dataset, and leave the rest alone?

    python -m benchmarks.audit --first-seed 97000 --scans 200 --drawn DRAWN [--output OUT]
    python -m benchmarks.audit --first-seed 97500 --scans 60 --drawn DRAWN --norms

Draws phantoms of every field of view on a coarse grid (kept in DRAWN, so that a second run is quick). The first half
stays clean; in the second half every kind of defect of `PLANTS` is planted in every scan that can have it, one at a
time. What is usual comes from a data set as one would meet it: the clean half, and each of the others with one defect
drawn at random. Prints, for each kind, the share that is suspected at all, the share whose own kind of check says so,
and which clean scans are suspected. `--norms` prints the table of siil.audit.usual instead. Limits are chosen on seeds
97500 to 97599.
"""

from __future__ import annotations

import argparse
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.defects import KINDS, PLANTS, Drawn
from siil.audit import checks
from siil.audit.coarse import SPACING_MM, coarse
from siil.audit.headers import contradictions, labels_at
from siil.audit.heldout import constant_shift
from siil.audit.measure import Measured, measure
from siil.audit.norms import USUAL, Norms, features, fitted, norms
from siil.config.schema.phantom import PhantomRecipe
from siil.phantom import sample
from siil.scan.grid import Grid, Volume

RECIPE = PhantomRecipe(
    patients=1,
    first_seed=0,
    second_series=0,
    fields_of_view={"cervical": 1, "chest": 1, "abdomen": 1, "lumbar": 1, "whole": 1},
    spacing_xy_mm=(2.4, 3.0),
    spacing_z_mm=(2, 3),
    lateral_fov_mm=(250, 400),
    rare_anatomy=0.08,
    scoliosis=0.15,
    fracture=0.1,
    contrast=0.4,
    variety=None,
)
VERSE_MM = (18.9, 18.4, 16.1, 16.3, 16.0, 17.5, 18.8, 20.7, 21.7, 21.7, 22.1, 22.9, 23.2, 23.8, 24.4, 25.4, 27.2, 29.5)
VERSE_MM += (31.3, 33.0, 34.0, 34.1, 32.2, 30.7)
VERSE_SD_MM = (3.7, 1.9, 2.0, 1.9, 1.8, 1.8, 1.5, 1.8, 1.8, 1.8, 1.9, 1.9, 2.2, 1.8, 1.9, 1.8, 2.1, 2.0)
VERSE_SD_MM += (2.7, 2.8, 2.9, 3.0, 3.3, 2.7)
"""Distance of each level, C1 to L5, to the next in 193 scans of VerSe: mean and standard deviation."""
_WITHOUT_STATURE = 0.7
"""share of that spread which is left without the patients' sizes"""


def drawn(seed: int, folder: Path) -> Drawn:
    """The phantom of a seed, from `folder` if it was drawn before."""
    path = folder / f"{seed}.npz"
    if not path.is_file():
        scan = sample(seed, RECIPE)
        places = np.array([scan.centroids_vox[name] for name in scan.centroids_vox])
        names = np.array(list(scan.centroids_vox))
        levels = np.array([level.name for level in scan.anatomy.levels])
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, hu=scan.hu, mask=scan.mask, mm=scan.view.spacing_mm, places=places, names=names, levels=levels)
    with np.load(path) as kept:
        z, y, x = kept["mm"].tolist()
        grid = Grid(kept["mask"].shape, (z, y, x))
        centroids = {
            str(name): tuple(place) for name, place in zip(kept["names"], kept["places"].tolist(), strict=True)
        }
        levels = tuple(str(name) for name in kept["levels"])
        return Drawn(str(seed), Volume(kept["hu"], grid), Volume(kept["mask"], grid), centroids, levels)


def measured(scan: Drawn) -> Measured:
    """As siil.audit.folder measures a scan from files."""
    labels = coarse(scan.mask)
    found = measure(scan.case, labels, coarse(scan.image), SPACING_MM)
    shift = None
    if scan.predicted is not None:
        said = constant_shift(labels, coarse(scan.predicted))
        shift = None if said is None else (said[0], scan.margin, said[1])
    words = tuple(contradictions(scan.header)) if scan.header is not None else ()
    return replace(found, centroids=labels_at(scan.entries(), scan.mask), words=words, shift=shift)


def all_of(seed: int, *, folder: Path, planted: bool) -> dict[str, Measured]:
    """The clean scan of a seed, and if it is to be planted, each defect that it can have, by kind."""
    scan = drawn(seed, folder)
    found = {"": measured(scan)}
    for number, (kind, plant) in enumerate(PLANTS.items()):
        bad = plant(np.random.default_rng((seed, number)), scan) if planted else None
        if bad is not None:
            found[kind] = measured(bad)
    return found


def table_of_norms(scans: list[Measured]) -> None:
    """Rows of siil.audit.usual.TABLE."""
    found = np.stack([features(scan) for scan in scans])
    zero = np.zeros(found.shape[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # levels that no scan shows stay NaN
        middle = np.nanmedian(found, axis=0)
    made = fitted(found, Norms(middle, zero + 0.1, zero.astype(int)), 3)
    for place, vertebra in enumerate(USUAL):
        source = place - (vertebra.name == "L6")
        centre, spread = made.centre[source].copy(), made.spread[source].copy()
        centre[0], spread[0] = np.nan, np.nan
        if place < len(VERSE_MM):
            centre[0] = np.log(VERSE_MM[place])
            spread[0] = max(_WITHOUT_STATURE * VERSE_SD_MM[place] / VERSE_MM[place], 0.05)
        pairs = ", ".join(f"{a:.3f}, {b:.3f}" for a, b in zip(centre, spread, strict=True))
        print(f'    "{vertebra.name}": ({pairs}),')


def main() -> None:
    """Draw, plant, audit, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first-seed", type=int, default=97000)
    parser.add_argument("--scans", type=int, default=200)
    parser.add_argument("--drawn", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--norms", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="the findings behind each clean or missed scan")
    args = parser.parse_args()
    seeds = range(args.first_seed, args.first_seed + args.scans)
    half = args.scans // 2
    with ProcessPoolExecutor(args.processes, mp_context=get_context("spawn")) as pool:
        clean = [found[""] for found in pool.map(partial(all_of, folder=args.drawn, planted=False), seeds[:half])]
        bad = list(pool.map(partial(all_of, folder=args.drawn, planted=not args.norms), seeds[half:]))
    if args.norms:
        table_of_norms([*clean, *(found[""] for found in bad)])
        return
    rng = np.random.default_rng(args.first_seed)
    met = [found[str(rng.choice([kind for kind in found if kind]))] for found in bad]
    judge(clean, bad, norms([*clean, *met]), verbose=args.verbose)


def judge(
    clean: list[Measured], bad: list[dict[str, Measured]], usual: Norms, *, verbose: bool = False
) -> dict[str, tuple[int, int, int]]:
    """Print the table. Returns kind -> scans, suspected, suspected by their own check; "" are the clean ones."""
    counts: dict[str, list[int]] = {kind: [0, 0, 0] for kind in ("", *KINDS)}
    for kind, scan in [("", scan) for scan in clean] + [(k, s) for found in bad for k, s in found.items() if k]:
        kinds = {row.kind for row in checks.check(scan, usual) if row.suspicion >= 1}
        counts[kind][0] += 1
        counts[kind][1] += bool(kinds)
        counts[kind][2] += bool(kinds & KINDS.get(kind, set()))
        if verbose and bool(kinds) == (kind == ""):
            rows = [f"{r.kind} {r.where} {r.suspicion:.2f}" for r in checks.check(scan, usual)]
            print(f"{kind or 'clean'} {scan.case}: {'; '.join(rows) or 'nothing'}")
    twice = [replace(found[""], case=f"{found[''].case} again") for found in bad]
    copies = checks.duplicates([*clean, *(found[""] for found in bad), *twice])
    counts["duplicate"] = [len(twice), len({row.case for row in copies}), len({row.case for row in copies})]
    print("| defect | scans | suspected | by its own check |\n|---|---|---|---|")
    for kind, (total, any_kind, own) in counts.items():
        said = f"{any_kind} ({any_kind / max(total, 1):.3f})"
        by_own = f"{own} ({own / max(total, 1):.3f})" if kind else ""
        print(f"| {kind or 'none'} | {total} | {said} | {by_own} |")
    return {kind: (a, b, c) for kind, (a, b, c) in counts.items()}


if __name__ == "__main__":
    main()
