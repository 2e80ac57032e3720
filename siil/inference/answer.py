"""The answer for a scan in words: the line and the table on the terminal, the document for programs, what mends it.

Made of the facts of the scan (NAME_scan.json). Used by the stages `predict` and `relabel`, the preview and the viewer.
Plain values and text.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from siil.errors import message
from siil.inference.enumeration import span
from siil.run.provenance import RESEARCH_USE

_SPAN = re.compile(r"\b([CTL]\d+)-([CTL]\d+)\b")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is told of one scan.

    scan: as the user calls it (name of the file or folder). folder: where its files lie; empty where there are none.
    corrected: the enumeration before a reader changed it. error: why the scan was not done.
    """

    scan: str
    folder: str = ""
    enumeration: str = ""
    vertebrae: tuple[str, ...] = ()
    uncertain: bool = False
    reason: str = ""
    margin: float | None = None
    corrected: str = ""
    error: str = ""

    @property
    def verdict(self) -> str:
        """`sure`, or what is amiss."""
        if self.error:
            return f"not done: {self.error}"
        if self.corrected:
            was = "" if self.corrected == self.enumeration else f", was {_dashed(self.corrected)}"
            return f"settled by hand{was}"
        return f"uncertain: {_dashed(self.reason)}" if self.uncertain else "sure"

    @property
    def words(self) -> str:
        """`T9–L5, 9 vertebrae, sure`."""
        if self.error:
            return self.verdict
        count = f"{len(self.vertebrae)} vertebra{'' if len(self.vertebrae) == 1 else 'e'}"
        return f"{_dashed(self.enumeration)}, {count}, {self.verdict}"

    @property
    def line(self) -> str:
        """The line on the terminal."""
        return f"{self.scan}: {self.words}" + ("" if self.error else f"; files in {self.folder}")


def answer_of(facts: Mapping[str, Any], *, scan: str, folder: Path) -> Answer:
    """The answer in the facts of a scan."""
    return Answer(
        scan=scan,
        folder=str(folder),
        enumeration=facts["enumeration"],
        vertebrae=tuple(facts["vertebrae"]),
        uncertain=facts["uncertain"],
        reason=facts["reason"],
        margin=facts["margin"],
        corrected=(facts.get("corrected") or {}).get("from", ""),
    )


def not_done(error: Exception, path: Path) -> Answer:
    """The answer for a scan that failed, in one line without its path."""
    said = message(error)
    words = " ".join((f"{type(error).__name__}: {error}" if said is None else said).split())
    return Answer(called(path), error=words.removeprefix(f"{path}: "))


def called(path: Path) -> str:
    """What a scan is called to its user: the name of its file or folder."""
    return path.name or path.resolve().name


def table(answers: Sequence[Answer]) -> str:
    """A row per scan, those that were not done too, and a last line that counts them."""
    rows = [("scan", "vertebrae", "number", "answer")]
    rows += [
        (a.scan, "-", "-", a.verdict) if a.error else (a.scan, _dashed(a.enumeration), str(len(a.vertebrae)), a.verdict)
        for a in answers
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = ["  ".join([*(cell.ljust(n) for cell, n in zip(row[:3], widths, strict=True)), row[3]]) for row in rows]
    done = [a for a in answers if not a.error]
    doubted = sum(a.uncertain for a in done)
    return "\n".join([*lines, f"{len(done)} of {len(answers)} scans done, {doubted} of them uncertain"])


def document(answers: Sequence[Answer], *, error: str = "") -> str:
    """The answers as one JSON document. error: why nothing was begun."""
    scans = []
    for answer in answers:
        status = "failed" if answer.error else "uncertain" if answer.uncertain else "sure"
        scans.append({"status": status, **asdict(answer)})
    return json.dumps({"notice": RESEARCH_USE, "scans": scans, "error": error}, indent=2, allow_nan=False)


def remedies(facts: Mapping[str, Any], path: Path) -> list[tuple[str, str]]:
    """(words, command) pairs: how a reader mends the count, one line to copy each; of a settled count how it was.

    path: of NAME_scan.json, as the user would write it.
    """
    corrected = facts.get("corrected")
    if corrected:
        words = f"settled by hand ({corrected['by']}, {corrected['when'][:10]}); was {_dashed(corrected['from'])}"
        return [(words, "")]
    if not facts["vertebrae"]:
        return []
    command = f"siil relabel {shlex.quote(str(path))}"
    rivals = [
        (f"if it is {_dashed(span(rival['names']))} ({_far(rival['behind'])})", f"{command} --rival {n}")
        for n, rival in enumerate(facts["rivals"], start=1)
        if rival["names"]
    ]
    return [*rivals, ("any other count (or --last, --shift, --at Z_MM=LEVEL)", f"{command} --first LEVEL")]


def _far(behind: float) -> str:
    """How far a rival is behind the answer, in nats. One that the scan cannot show may be ahead."""
    tenths = round(behind, 1)
    return f"{-tenths:.1f} nats ahead" if tenths < 0 else f"{abs(tenths):.1f} nats behind"


def _dashed(text: str) -> str:
    return _SPAN.sub(r"\1–\2", text)
