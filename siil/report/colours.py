"""Colours and names of the VerSe codes for viewers: 3D Slicer, ITK-SNAP, and the viewer of the report.

Derived from the one table in siil.anatomy; the stage `report` writes the first two beside the page. Sacrum and coccyx
are not predicted, but stand in masks of the public datasets: grey.
"""

from __future__ import annotations

from siil.anatomy import COCCYX_CODE, SACRUM_CODE, VERTEBRAE
from siil.run.provenance import RESEARCH_USE

_GREY = {SACRUM_CODE: ("sacrum", (160, 160, 160)), COCCYX_CODE: ("coccyx", (120, 120, 120))}


def code_colours() -> list[tuple[int, str, tuple[int, int, int]]]:
    """(VerSe code, name, RGB in 0-255) of everything that a mask may hold but background, by code."""
    rows = [(vertebra.code, vertebra.name, vertebra.colour) for vertebra in VERTEBRAE]
    return sorted(rows + [(code, name, colour) for code, (name, colour) in _GREY.items()])


def slicer_table() -> str:
    """Colour table of 3D Slicer (.ctbl): code, name, R, G, B, A."""
    lines = [f"# SIIL vertebrae in VerSe codes. {RESEARCH_USE}", "0 background 0 0 0 0"]
    lines += [f"{code} {name} {red} {green} {blue} 255" for code, name, (red, green, blue) in code_colours()]
    return "\n".join(lines) + "\n"


def itksnap_labels() -> str:
    """Label descriptions of ITK-SNAP: code, R, G, B, opacity, visible, visible in 3D, name."""
    rule = "#" * 48
    lines = [rule, "# ITK-SnAP Label Description File", f"# SIIL vertebrae in VerSe codes. {RESEARCH_USE}", rule]
    lines.append('    0     0    0    0        0  0  0    "Clear Label"')
    lines += [
        f'{code:5d} {red:5d} {green:4d} {blue:4d}        1  1  1    "{name}"'
        for code, name, (red, green, blue) in code_colours()
    ]
    return "\n".join(lines) + "\n"


def niivue_labels() -> dict[str, list]:
    """Colour map of a label volume as niivue takes it: lists R, G, B, A, I (codes) and labels."""
    rows = [(0, "", (0, 0, 0)), *code_colours()]
    return {
        "R": [colour[0] for _, _, colour in rows],
        "G": [colour[1] for _, _, colour in rows],
        "B": [colour[2] for _, _, colour in rows],
        "A": [0] + [255] * (len(rows) - 1),
        "I": [code for code, _, _ in rows],
        "labels": [name for _, name, _ in rows],
    }
