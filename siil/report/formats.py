"""A table as CSV, Markdown and LaTeX (booktabs). Everything meant for reading says that it is for research use only.

Used by stage `tables`. Pure: a Table in, text out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Final

from siil.report.cells import NONE, Table
from siil.run.provenance import RESEARCH_USE

_LONG = 40
"""Tables of more rows run over several pages in LaTeX."""
_WIDE = 9
"""Tables of more columns are turned by 90 degrees in LaTeX and fill the page."""
_TEX: Final = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "±": r"$\pm$",
    "–": "--",
}


def to_csv(table: Table) -> str:
    """Headings and cells, comma-separated, absent ones empty; notes are left to the readable formats."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([table.columns, *([("" if cell == NONE else cell) for cell in row] for row in table.rows)])
    return stream.getvalue()


def to_markdown(table: Table) -> str:
    """A heading, a pipe table with its cells padded, the notes, and the research-use line."""
    lines = [[_piped(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(3, *(len(line[n]) for line in lines)) for n in range(len(table.columns))]
    shown = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) + " |" for line in lines]
    rule = "|" + "|".join("-" * (w + 2) for w in widths) + "|"
    body = [shown[0], rule, *shown[1:], ""] if table.rows else []
    return "\n".join([f"# {table.title}", "", *body, *(f"{note}\n" for note in table.notes), RESEARCH_USE, ""])


def _piped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def to_latex(table: Table) -> str:
    """A booktabs table, turned when it is wide, or a longtable when it has many rows; every cell escaped.

    An interval stands below its mean and a unit below its heading.
    """
    caption = escape(" ".join((f"{table.title}.", *table.notes, RESEARCH_USE)))
    head = [f"% {RESEARCH_USE}", f"% \\usepackage{{booktabs,graphicx,longtable,rotating}}; \\input{{{table.name}}}"]
    if not table.rows:
        return "\n".join([*head, f"\\par\\noindent {caption}\\par", ""])
    columns = " & ".join(_stacked(column, " (") for column in table.columns) + r" \\"
    rows = [" & ".join(_stacked(cell, " [") for cell in row) + r" \\" for row in table.rows]
    build: Callable[..., list[str]] = _longtable if len(rows) > _LONG else _float
    return "\n".join([*head, *build(table, caption=caption, columns=columns, rows=rows), ""])


def _stacked(text: str, before: str) -> str:
    """Escaped text, what begins with `before` on a second line."""
    first, sign, second = text.partition(before)
    if not sign:
        return escape(text)
    # the braces keep a bracket from being read as the length of the line break
    return rf"\shortstack[l]{{{escape(first)}\\{{}}{escape(before.strip() + second)}}}"


def _float(table: Table, *, caption: str, columns: str, rows: list[str]) -> list[str]:
    wide = len(table.columns) > _WIDE
    kind = "sidewaystable" if wide else "table"
    return [
        rf"\begin{{{kind}}}[htbp]",
        r"\centering",
        rf"\caption{{{caption}}}",
        rf"\label{{tab:{table.name}}}",
        *([r"\resizebox{\textwidth}{!}{%"] if wide else [r"{\small"]),
        rf"\begin{{tabular}}{{{'l' * len(table.columns)}}}",
        r"\toprule",
        columns,
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}}",
        rf"\end{{{kind}}}",
    ]


def _longtable(table: Table, *, caption: str, columns: str, rows: list[str]) -> list[str]:
    return [
        r"{\tiny\setlength{\tabcolsep}{2pt}",
        rf"\begin{{longtable}}{{{'l' * len(table.columns)}}}",
        rf"\caption{{{caption}}}\label{{tab:{table.name}}}\\",
        r"\toprule",
        columns,
        r"\midrule",
        r"\endfirsthead",
        r"\toprule",
        columns,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *rows,
        r"\end{longtable}}",
    ]


def escape(text: str) -> str:
    """Text with every character that LaTeX would take for a command written out."""
    return "".join(_TEX.get(character, character) for character in text)


FORMATS: Final[dict[str, Callable[[Table], str]]] = {"csv": to_csv, "md": to_markdown, "tex": to_latex}
