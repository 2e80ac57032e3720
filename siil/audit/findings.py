"""What an audit says: one row per finding, ranked, and what to leave out of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

COLUMNS: Final = ("case", "kind", "where", "suspicion", "reason")


@dataclass(frozen=True, slots=True)
class Finding:
    """One suspicion. where: a vertebra, a pair, or `scan`. suspicion: a value over the limit of its check (5 where
    nothing was measured): from 1 on the scan is suspected, below 1 it is worth a look. words: why, for a person."""

    case: str
    kind: str
    where: str
    suspicion: float
    words: str


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """The scans with the highest suspicion first, the findings of a scan together, its highest first."""
    rows = list(findings)
    top: dict[str, float] = {}
    for row in rows:
        top[row.case] = max(top.get(row.case, 0.0), row.suspicion)
    return sorted(rows, key=lambda row: (-top[row.case], row.case, -row.suspicion, row.kind, row.where))


def suspected(rows: Sequence[Finding]) -> list[str]:
    """Cases with a suspicion of 1 and above, in the order of the rows."""
    return list(dict.fromkeys(row.case for row in rows if row.suspicion >= 1))


def to_text(rows: Sequence[Finding]) -> str:
    """The table as TSV."""
    lines = ["\t".join(COLUMNS)]
    lines += [f"{r.case}\t{r.kind}\t{r.where}\t{r.suspicion:.2f}\t{r.words}" for r in rows]
    return "\n".join(lines) + "\n"


def exclusion(rows: Sequence[Finding], excluded: Sequence[str] = ()) -> str:
    """YAML for the file of a data set in config/datasets: `exclude`, with each case's first reason behind it.

    excluded: cases that the file excludes already. They are listed too, or the new list would bring them back.
    """
    reasons: dict[str, Finding] = {}
    for row in rows:
        if row.suspicion >= 1:
            reasons.setdefault(row.case, row)
    head = "# cases that `siil audit` suspects: look at each before it goes into the file of the data set\n"
    lines = [f'  - "{case}"\n' for case in excluded if case not in reasons]
    lines += [f'  - "{case}" # {row.kind}, {row.where}\n' for case, row in reasons.items()]
    return head + ("exclude:\n" + "".join(lines) if lines else "exclude: []\n")
