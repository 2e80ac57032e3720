"""The HTML report: what it holds, as plain values, and its rendering into one self-contained file.

Last step of the pipeline (stage `report`). siil.report.content fills `Page` from the results; the templates, style and
scripts lie in assets. The page carries a content security policy that forbids any network request.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from siil.report.records import Ran, duration
from siil.report.viewer import ViewerScan, render

SHOWN = 0.72
"""Pixels of the page per pixel of a figure."""


@dataclass(frozen=True, slots=True)
class Number:
    """A headline number. `detail` says grid, interval and count."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A table as text cells; `numeric` marks right-aligned columns."""

    name: str
    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class FigureBlock:
    """A figure; `png` is None when the file is missing, and the page says so."""

    name: str
    title: str
    caption: str
    png: bytes | None

    @property
    def data_uri(self) -> str | None:
        """The image as a data URI."""
        if self.png is None:
            return None
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height to show it at, with equally large letters in every figure (PNG header: bytes 16-24)."""
        width, height = struct.unpack(">II", (self.png or b"\0" * 24)[16:24])
        return round(width * SHOWN), round(height * SHOWN)


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A row of the case browser. `cells` are (text, sort key); `viewer` is the key of an inlined scan or empty."""

    case: str
    model: str
    cells: tuple[tuple[str, float | str], ...]
    viewer: str
    troubled: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Everything on the page."""

    experiment: str
    description: str
    models: tuple[str, ...]
    repeats: int
    folds: tuple[int, ...]
    scans: int
    headline: tuple[Number, ...]
    tables: tuple[TableBlock, ...]
    figures: tuple[FigureBlock, ...]
    case_columns: tuple[str, ...]
    cases: tuple[CaseRow, ...]
    all_cases: int
    """rows of all scans; `cases` may be fewer"""
    viewers: Mapping[str, ViewerScan]
    ran: tuple[Ran, ...]
    versions: Mapping[str, str]
    config: str
    downloads: Mapping[str, str] = field(default_factory=dict)
    """file name -> text of the files that the page offers"""


def render_page(page: Page) -> str:
    """The page as HTML."""
    files: dict[str, str] = {name: _text_uri(text) for name, text in page.downloads.items()}
    values: dict[str, Any] = {"page": page, "duration": duration, "downloads": files}
    return render("report.html.j2", **values)


def _text_uri(text: str) -> str:
    return "data:text/plain;charset=utf-8;base64," + base64.b64encode(text.encode("utf-8")).decode("ascii")
