"""A scan's answer under other names: what a reader settled, laid onto label map, findings and the facts of the scan.

The vertebrae stay what and where they are; only their names change. inference/count.py says which names may be. Where a
name is a reader's, the decoding's confidence in its own name is void. Nothing here reads or writes a file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import ndimage

from siil.anatomy import BY_NAME
from siil.inference.enumeration import span
from siil.inference.outputs import vertebra_table
from siil.inference.vertebrae import BY_HAND, Finding, shape, suspect, world
from siil.scan.grid import Volume

_VOID = ("low_confidence", "renamed", BY_HAND)
"""Flags of a name, which go with it."""


def relabelled(seg: Volume, names: Mapping[str, str]) -> Volume:
    """The label map (VerSe codes) under other names: old -> new. Other labels stay."""
    table = np.arange(256, dtype=np.uint8)
    for old, new in names.items():
        table[BY_NAME[old].code] = BY_NAME[new].code
    return replace(seg, array=table[seg.array])


def renamed(findings: Sequence[Finding], names: Mapping[str, str], seg: Volume) -> tuple[Finding, ...]:
    """The findings under other names.

    Args:
        findings: from the head down.
        names: old -> new, in the same order; those that stay keep their confidence and flags.
        seg: the label map under the new names. C1's body is its ring: what becomes C1 or ceases to be is measured anew.
    """
    found = []
    boxes = ndimage.find_objects(seg.array)
    for n, finding in enumerate(findings):
        new = BY_NAME[names[finding.name]]
        if new.name == finding.name:
            found.append(finding)
            continue
        flags = (*(flag for flag in finding.flags if flag not in _VOID), BY_HAND)
        changed = replace(finding, name=new.name, code=new.code, confidence=float("nan"), flags=flags)
        if "C1" in (finding.name, new.name):
            changed = _body_anew(changed, seg, boxes[new.code - 1], _direction(findings, n))
        found.append(changed)
    return suspect(tuple(found))


def facts_by_hand(
    facts: Mapping[str, Any],
    findings: tuple[Finding, ...],
    places: Sequence[str],
    names: Sequence[str],
    *,
    by: str,
    when: str,
) -> dict[str, Any]:
    """The facts of a scan (NAME_scan.json) after a correction.

    Args:
        facts: as they were.
        findings: under the new names.
        places, names: all vertebrae from the head down, those without a voxel too: as they were, as they are.
        by: the option that was given. when: UTC.
    """
    found = [finding.name for finding in findings]
    before = facts.get("corrected") or {"from": facts["enumeration"]}
    new = dict(zip(places, names, strict=True))
    return {
        **facts,
        "vertebrae": found,
        "cut": [finding.name for finding in findings if not finding.complete],
        "enumeration": span(tuple(names)),
        "uncertain": False,
        "reason": "",
        "corrected": {"from": before["from"], "to": span(tuple(names)), "by": by, "when": when},
        "margin": None,
        "runner_up": None,
        "rivals": [{**rival, "changes": _changes(rival, new)} for rival in facts["rivals"]],
        "renamed": None,
        "unseen": [name for name in names if name not in found],
        "details": json.loads(vertebra_table(findings).to_json(orient="records")),
    }


def _changes(rival: Mapping[str, Any], new: Mapping[str, str]) -> list[str]:
    """What a rival calls otherwise than the names are now."""
    if rival.get("names"):
        pairs = list(zip(new.values(), rival["names"], strict=True))
    else:
        split = [change.split(" as ") for change in rival["changes"]]
        pairs = [(new.get(best, best), called) for best, called in split]
    return [f"{name} as {called}" for name, called in pairs if name != called]


def _direction(findings: Sequence[Finding], n: int) -> np.ndarray:
    """LPS unit vector along the spine at a vertebra, from the bodies beside it."""
    ends = np.array([findings[max(0, n - 1)].body_mm, findings[min(len(findings) - 1, n + 1)].body_mm])
    along = ends[1] - ends[0]
    length = float(np.linalg.norm(along))
    return along / length if length else np.array([0.0, 0.0, 1.0])


def _body_anew(finding: Finding, seg: Volume, box: tuple[slice, ...], direction: np.ndarray) -> Finding:
    _, body_vox, height_mm = shape(seg, finding.code, box, direction)
    x, y, z = body_vox.tolist()
    return replace(finding, body_mm=world(seg, body_vox), body_vox=(x, y, z), height_mm=height_mm)
