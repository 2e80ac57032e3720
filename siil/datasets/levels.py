"""What a reader knows of scans' vertebrae: the table `levels.tsv` that `siil relabel` (and adaptation) takes.

Tab-separated, with a header; columns in any order, empty where nothing is known:

- `scan`: the scan's name, as its outputs have it (`case7` of case7.nii.gz; the file's name does too);
- `level` and `z_mm`: the vertebra whose body lies at this height, LPS millimetres, as body_z_mm of NAME_vertebrae.tsv;
- `first`, `last`: the uppermost and the lowest vertebra that has a voxel.

A row says one thing or several, and a scan may have several rows. Names are text: a patient may be called `NA`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from siil.anatomy import BY_NAME
from siil.errors import DatasetError, why

COLUMNS = ("scan", "level", "z_mm", "first", "last")
_SUFFIXES = (".nii.gz", ".nii", ".zip", ".nrrd", ".mha", ".mhd")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one scan. at: (height in mm, name) pairs. first, last: empty where they are not known."""

    first: str = ""
    last: str = ""
    at: tuple[tuple[float, str], ...] = ()

    def words(self) -> str:
        """In one line, as the options of `siil relabel`."""
        ends = [f"--{key} {value}" for key, value in (("first", self.first), ("last", self.last)) if value]
        return " ".join([*ends, *(f"--at {z_mm:g}={name}" for z_mm, name in self.at)])


NOTHING = Known()


def read_levels(path: Path) -> dict[str, Known]:
    """Scan -> what is known of it, in the order of the table.

    Raises:
        DatasetError: it is no such table, or a row is incomplete or contradicts another; the row is named.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: expected a table of levels, got {why(error)}") from None
    lines = [line.split("\t") for line in text.splitlines() if line]
    header = [name.strip() for name in lines[0]] if lines else []
    strange = [name for name in header if name not in COLUMNS]
    if "scan" not in header or strange or len(set(header)) < len(header):
        raise DatasetError(
            f"{path}: expected columns of {', '.join(COLUMNS)} between tabs, got {', '.join(header) or 'nothing'}"
        )
    found: dict[str, Known] = {}
    for number, row in enumerate(lines[1:], start=2):
        where = f"{path}, row {number}"
        if len(row) != len(header):
            raise DatasetError(f"{where}: expected {len(header)} columns between tabs, got another number")
        values = {name: value.strip() for name, value in zip(header, row, strict=True)}
        if not any(values.values()):
            continue
        scan = _stem(values["scan"])
        if not scan:
            raise DatasetError(f"{where}: expected the name of a scan in column scan, got none")
        found[scan] = _joined(found.get(scan, Known()), _known(values, where), f"{where} ({scan})")
    if not found:
        raise DatasetError(f"{path}: expected a row per scan below the header, got none")
    return found


def read_at(text: str, where: str) -> tuple[float, str]:
    """`-123.4=L3` as height in mm and name. Raises DatasetError that begins with `where`."""
    height, sign, name = text.partition("=")
    if not sign:
        raise DatasetError(f"{where}: expected Z_MM=LEVEL, for example -123.4=L3, got {text!r}")
    return _height(height, where), read_name(name, where)


def read_name(text: str, where: str) -> str:
    """A vertebra's name, in capitals. Raises DatasetError that begins with `where`."""
    name = text.strip().upper()
    if name not in BY_NAME:
        raise DatasetError(f"{where}: expected a vertebra (C1-C7, T1-T13, L1-L6), got {text!r}")
    return name


def _known(values: dict[str, str], where: str) -> Known:
    level, height = values.get("level", ""), values.get("z_mm", "")
    if bool(level) != bool(height):
        raise DatasetError(f"{where}: expected level and z_mm together, got one without the other")
    ends = {key: read_name(values[key], where) if values.get(key) else "" for key in ("first", "last")}
    at = ((_height(height, where), read_name(level, where)),) if level else ()
    if not at and not any(ends.values()):
        raise DatasetError(f"{where}: expected level and z_mm, first or last, got none of them")
    return Known(ends["first"], ends["last"], at)


def _height(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError(f"{where}: expected a height in mm, got {text!r}")
    return value


def _joined(one: Known, two: Known, where: str) -> Known:
    for key in ("first", "last"):
        a, b = getattr(one, key), getattr(two, key)
        if a and b and a != b:
            raise DatasetError(f"{where}: expected one {key}, got {a} and {b}")
    return replace(one, first=one.first or two.first, last=one.last or two.last, at=(*one.at, *two.at))


def _stem(name: str) -> str:
    suffix = next((suffix for suffix in _SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]
