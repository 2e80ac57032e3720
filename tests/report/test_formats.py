"""CSV, Markdown and LaTeX of one small table."""

from __future__ import annotations

import csv
import io

from siil.report.cells import NONE, Table
from siil.report.formats import escape, to_csv, to_latex, to_markdown
from siil.run.provenance import RESEARCH_USE

TABLE = Table("t", "A title", ("Model", "Dice (0-1)"), (("no_gru", "0.9 ± 0.1"), ("a|b", "50 % & more")), ("A note.",))


def test_csv_holds_headings_and_cells() -> None:
    assert list(csv.reader(io.StringIO(to_csv(TABLE)))) == [list(TABLE.columns), *map(list, TABLE.rows)]


def test_markdown_is_a_padded_pipe_table_with_notes_and_research_use() -> None:
    assert to_markdown(TABLE).splitlines() == [
        "# A title",
        "",
        "| Model  | Dice (0-1)  |",
        "|--------|-------------|",
        "| no_gru | 0.9 ± 0.1   |",
        "| a\\|b   | 50 % & more |",
        "",
        "A note.",
        "",
        RESEARCH_USE,
    ]


def test_latex_is_booktabs_with_every_cell_escaped() -> None:
    text = to_latex(TABLE)
    assert r"no\_gru & 0.9 $\pm$ 0.1 \\" in text
    assert r"50 \% \& more \\" in text
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\begin{tabular}{ll}", r"\label{tab:t}"):
        assert rule in text
    assert RESEARCH_USE in text.splitlines()[0]
    caption = next(line for line in text.splitlines() if line.startswith(r"\caption"))
    assert RESEARCH_USE in caption


def test_intervals_and_units_stand_below_what_they_belong_to() -> None:
    text = to_latex(Table("t", "T", ("Dice (0-1)",), (("0.9 ± 0.1 [0.8, 1.0]",),), ()))
    assert r"\shortstack[l]{Dice\\{}(0-1)} \\" in text
    assert r"\shortstack[l]{0.9 $\pm$ 0.1\\{}[0.8, 1.0]} \\" in text


def test_a_wide_latex_table_is_turned() -> None:
    wide = to_latex(Table("t", "Wide", tuple("abcdefghij"), (tuple("abcdefghij"),), ()))
    assert r"\begin{sidewaystable}" in wide
    assert r"\begin{table}" in to_latex(TABLE)


def test_absent_values_are_empty_in_csv() -> None:
    assert to_csv(Table("t", "T", ("A", "B"), (("x", NONE),), ())) == "A,B\nx,\n"


def test_a_long_latex_table_runs_over_pages() -> None:
    text = to_latex(Table("t", "Long", ("A",), (("x",),) * 41, ("n",)))
    assert r"\begin{longtable}{l}" in text
    assert r"\begin{table}" not in text


def test_a_table_without_rows_is_its_notes() -> None:
    empty = Table("t", "Nothing", ("A",), (), ("Only one model was run.",))
    assert to_csv(empty) == "A\n"
    assert "|" not in to_markdown(empty)
    assert "tabular" not in to_latex(empty)
    assert all("Only one model was run." in write(empty) for write in (to_markdown, to_latex))


def test_every_special_character_is_written_out() -> None:
    assert escape(r"a\b{c}~^#$%&_") == (r"a\textbackslash{}b\{c\}\textasciitilde{}\textasciicircum{}\#\$\%\&\_")
