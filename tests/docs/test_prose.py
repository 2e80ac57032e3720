"""Long lines of pages are wrapped, and nothing else changes; no page has one."""

from __future__ import annotations

import importlib.util
import sys

from tests.workflow.checkout import ROOT

_SPEC = importlib.util.spec_from_file_location("prose", ROOT / "scripts" / "prose.py")
prose = importlib.util.module_from_spec(_SPEC)
sys.modules["prose"] = prose
_SPEC.loader.exec_module(prose)

LONG = " ".join(["word"] * 30)  # 149 characters


def test_a_long_paragraph_and_a_long_item_are_wrapped_where_they_belong():
    first, second = prose.wrapped(f"- {LONG}\n- short\n").splitlines()[:2]
    assert first == "- " + " ".join(["word"] * 23)  # 2 + 114 characters; one more would be 121
    assert second == "  " + " ".join(["word"] * 7)
    assert prose.wrapped(f"- {LONG}\n- short\n").endswith("\n- short\n")


def test_a_command_in_a_sentence_is_not_torn():
    words = " ".join(["word"] * 22)  # 109 characters
    lines = prose.wrapped(f"{words} `siil predict scan`, then {LONG}\n").splitlines()
    assert lines[:2] == [words, "`siil predict scan`, then " + " ".join(["word"] * 19)]  # 26 + 94 characters
    assert prose.wrapped("so `siil\npredict` it\n") == "so `siil predict` it\n"


def test_short_paragraphs_tables_code_and_headings_stay_as_they_are():
    page = f"# {LONG}\n\na\nb\n\n| {LONG} |\n\n```bash\n{LONG}\n```\n\n    {LONG}\n\n![{LONG}](x.png)\n"
    assert prose.wrapped(page) == page


def test_no_word_that_would_begin_a_list_or_heading_comes_first_in_a_line():
    for sign in ("-", "+", "#", "1.", "|"):
        words = " ".join(["word"] * 24)  # 119 characters: the sign would be the first of the second line
        lines = prose.wrapped(f"{words} {sign} {LONG}\n").splitlines()
        assert [line for line in lines if line.startswith(sign)] == []
        assert " ".join(lines) == f"{words} {sign} {LONG}"


def test_no_page_has_a_long_line():
    found = {str(page.relative_to(ROOT)): prose.long_lines(page.read_text("utf-8")) for page in prose.pages()}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_long_lines_are_found_in_code_and_left_in_tables():
    assert prose.long_lines(f"{LONG}\n| {LONG} |\n```\n{LONG}\n```\n") == [1, 4]


def test_the_readme_is_read_in_three_minutes():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 130
    assert [line for line in lines if len(line) > 120] == []
