"""The checks, one function for each kind of defect, and their table. Numbers in, findings out; no check opens a file.

A check gives `value / limit` as suspicion. The limits were chosen on phantoms (seeds 97500 to 97599) so that next to no
clean scan is suspected, and judged on others: `python -m benchmarks.audit`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from siil.anatomy import BY_CODE
from siil.audit.findings import Finding
from siil.audit.measure import Bone, Measured
from siil.audit.norms import PLACE, SIZES, USUAL, Norms, features, patient, pitch_mm
from siil.audit.parts import parts
from siil.audit.shift import best_shift

SHIFT: Final = 6.0
"""by how much the other names must fit better (`gain` of siil.audit.shift)"""
GAP: Final = 1.55
"""times the usual distance; from here on a vertebra without a label lies between"""
PIECE: Final = 0.25
"""share of the level's usual volume; a second piece of so much, half a level or more away, is a repeat"""
MOVED_HU: Final = 10.0
"""how much denser it is under the whole mask where that is moved"""
MIRRORED_HU: Final = 5.0
"""the same where it is mirrored"""
CONTRAST_HU: Final = 40.0
"""how much denser a vertebra must be than what is around it"""
SPACING: Final = 0.25
"""log of heights, or of widths, over the usual ones"""
ASPECT: Final = 0.19
"""log of heights over widths, or of widths over depths, over what is usual for them"""
MARGIN: Final = 4.0
"""nats by which a held-out answer must be ahead of its rivals"""
_LEAST: Final = 3
_CERTAIN: Final = 5.0


def check(scan: Measured, norms: Norms) -> list[Finding]:
    """Everything that the checks find in one scan."""
    return [finding for look in CHECKS for finding in look(scan, norms)]


def order(scan: Measured, norms: Norms) -> list[Finding]:
    """Names that do not run from the head down."""
    wrong = [(a, b) for a, b in pairwise(scan.bones) if a.centre_mm[0] <= b.centre_mm[0]]
    if not wrong:
        return []
    if len(wrong) > (len(scan.bones) - 1) / 2 and len(scan.bones) > 2:
        words = "the names run from the foot up: scan or mask is upside down"
        return [Finding(scan.case, "order", "scan", _CERTAIN, words)]
    return [
        Finding(scan.case, "order", f"{a.name}-{b.name}", _CERTAIN, f"{b.name} lies above {a.name}") for a, b in wrong
    ]


def gaps(scan: Measured, norms: Norms) -> list[Finding]:
    """Levels that are passed over: by the names, or by a hole between two vertebrae."""
    found = []
    size = float(np.exp(patient(features(scan)[:, :1] - norms.centre[:, :1])[0]))
    for a, b in pairwise(scan.bones):
        if a.code not in PLACE or b.code not in PLACE:  # beside a T13, which is nobody's usual neighbour
            continue
        missing = [v.name for v in USUAL[PLACE[a.code] + 1 : PLACE[b.code]]]
        usual_mm = size * float(np.exp(norms.centre[PLACE[a.code], 0]))
        times = pitch_mm(a.centre_mm, b.centre_mm) / usual_mm
        where = f"{a.name}-{b.name}"
        if missing and times < GAP and missing == ["T12"]:
            found.append(_eleven(scan, norms, where, PLACE[b.code]))
        elif missing:
            hole = "a vertebra without a label lies between" if times >= GAP else "the names jump"
            words = f"{' '.join(missing)} missing, {times:.1f} times the usual distance: {hole}"
            found.append(Finding(scan.case, "gap", where, _CERTAIN, words))
        elif times > GAP * 0.8:  # a cut vertebra's centre is nearer, never farther
            words = f"{times:.1f} times the usual distance: a vertebra without a label between, or a wrong spacing"
            found.append(Finding(scan.case, "gap", where, times / GAP, words))
    return found


def _eleven(scan: Measured, norms: Norms, where: str, first: int) -> Finding:
    """T11 next to L1 is anatomy in some people: it is an error where what follows is thoracic, by its size and ribs."""
    below = features(scan)
    below[:first] = np.nan
    best = best_shift(below, norms)
    if best is not None and best.levels < 0 and best.gain >= SHIFT:
        words = f"T12 missing, and what follows fits {best.first}-{best.last}: the names jump"
        return Finding(scan.case, "gap", where, best.gain / SHIFT, words)
    return Finding(
        scan.case, "gap", where, 0.9, "T11 and L1 are neighbours: eleven thoracic vertebrae, or the names jump"
    )


def repeats(scan: Measured, norms: Norms) -> list[Finding]:
    """A name that stands at two places."""
    found = []
    for bone in scan.bones:
        if bone.code not in PLACE:
            continue
        usual_cm3, usual_mm = np.exp(norms.centre[PLACE[bone.code], 1]), np.exp(norms.centre[PLACE[bone.code], 0])
        share = bone.piece_cm3 / usual_cm3
        if share > PIECE / 2 and bone.piece_mm > usual_mm / 2:
            words = f"a second piece of {bone.piece_cm3:.0f} cm³, {bone.piece_mm:.0f} mm along the spine from the first"
            found.append(Finding(scan.case, "repeat", bone.name, share / PIECE, words))
    return found


def shifted(scan: Measured, norms: Norms) -> list[Finding]:
    """The whole scan fits better under names some levels up or down."""
    best = best_shift(features(scan), norms)
    if best is None or best.gain < SHIFT / 2:
        return []
    why = ", ".join(_WORDS[name] for name, _ in best.why)
    words = f"{why}: {best.first}-{best.last} fits better than {best.own}"
    return [Finding(scan.case, "shift", f"{best.levels:+d}", best.gain / SHIFT, words)]


_WORDS: Final = {
    "pitch": "distances",
    "volume": "volumes",
    "across": "widths",
    "deep": "depths",
    "along": "heights",
    "ribs": "ribs and sacrum beside the bodies",
    "aside": "ribs and pelvis aside",
}


def off_bone(scan: Measured, norms: Norms) -> list[Finding]:
    """Labels that do not lie on bone."""
    found = []
    if scan.placement is not None:
        way, gain, steps = scan.placement.moved
        if gain > MOVED_HU / 2:
            words = f"under the labels {scan.placement.hu:.0f} HU; moved {way} by about {3 * steps} mm {gain:.0f} more"
            found.append(Finding(scan.case, "off bone", "scan", gain / MOVED_HU, words))
    for bone in scan.bones:
        contrast = bone.hu - bone.around_hu
        if contrast < CONTRAST_HU:  # never so for NaN
            words = f"{bone.hu:.0f} HU inside, {bone.around_hu:.0f} HU around"
            found.append(Finding(scan.case, "off bone", bone.name, 1 + (CONTRAST_HU - contrast) / 100, words))
    return found


def mirrored(scan: Measured, norms: Norms) -> list[Finding]:
    """A mask that lies on more bone when it is turned over."""
    if scan.placement is None or scan.placement.mirrored[1] < MIRRORED_HU / 2:
        return []
    way, gain = scan.placement.mirrored
    words = f"under the labels {scan.placement.hu:.0f} HU; mirrored {way} {gain:.0f} more: mask against image"
    return [Finding(scan.case, "mirrored", "scan", gain / MIRRORED_HU, words)]


def spacing(scan: Measured, norms: Norms) -> list[Finding]:
    """Vertebrae too tall, too low, or of wrong proportions: a wrong voxel spacing in the header."""
    rest = features(scan)[:, : len(SIZES)] - norms.centre[:, : len(SIZES)]
    enough = (~np.isnan(rest)).sum(axis=0) >= _LEAST
    if not enough[[1, 2, 3]].all():
        return []
    pitch, _, across, deep, along = patient(rest)
    tall = (pitch + along) / 2 if enough[0] else along
    aspect = tall - (across + deep) / 2
    wide = (across + deep) / 2
    found = []
    value = max(abs(tall), abs(wide)) / SPACING
    if value > 0.7:
        words = f"heights {np.exp(tall):.2f} times, widths {np.exp(wide):.2f} times the usual"
        found.append(Finding(scan.case, "spacing", "scan", value, words))
    for name, ratio in (("heights against widths", aspect), ("widths against depths", across - deep)):
        if abs(ratio) / ASPECT > 0.7:
            words = f"{name} {np.exp(ratio):.2f} times the usual: slices or pixels have another spacing"
            found.append(Finding(scan.case, "spacing", "scan", abs(ratio) / ASPECT, words))
    return found


def centroids(scan: Measured, norms: Norms) -> list[Finding]:
    """Centroids that lie in another label, or in none."""
    found = []
    for code, label in scan.centroids.items():
        if label == code or code not in BY_CODE:
            continue
        where = BY_CODE[label].name if label in BY_CODE else "no label"
        words = f"the centroid of {BY_CODE[code].name} lies in {where}"
        found.append(Finding(scan.case, "centroid", BY_CODE[code].name, _CERTAIN, words))
    return found


def headers(scan: Measured, norms: Norms) -> list[Finding]:
    """What the files' headers say against each other."""
    return [Finding(scan.case, "header", "scan", _CERTAIN, words) for words in scan.words]


def held_out(scan: Measured, norms: Norms) -> list[Finding]:
    """Predictions of a network that never saw the scan, as far as is known, agree with the mask but for a shift."""
    if scan.shift is None or scan.shift[0] == 0:
        return []
    levels, margin, count = scan.shift
    words = f"a network names its {count} vertebrae {levels:+d}, {margin:.1f} nats before any rival"
    if scan.sure:
        return [Finding(scan.case, "held out", f"{levels:+d}", margin / MARGIN, words)]
    words += ", but calls its own count uncertain"
    return [Finding(scan.case, "held out", f"{levels:+d}", min(margin / MARGIN, 0.9), words)]


Check = Callable[[Measured, Norms], list[Finding]]
CHECKS: Final[tuple[Check, ...]] = (
    order,
    gaps,
    repeats,
    parts,
    shifted,
    off_bone,
    mirrored,
    spacing,
    centroids,
    headers,
    held_out,
)


def duplicates(scans: Sequence[Measured]) -> list[Finding]:
    """The same image or the same mask in two cases, by content."""
    found = []
    for what in ("image", "mask"):
        same: dict[str, list[str]] = defaultdict(list)
        for scan in scans:
            if scan.bones and getattr(scan, what):
                same[getattr(scan, what)].append(scan.case)
        for cases in same.values():
            found += [
                Finding(case, "duplicate", "scan", _CERTAIN, f"the same {what} as {cases[0]}") for case in cases[1:]
            ]
    return found


__all__ = ["CHECKS", "Bone", "check", "duplicates"]
