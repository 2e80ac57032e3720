"""Every relative link of every page leads to a file, and to a heading of it, also where no site is built.

MkDocs checks the pages of the site (`make docs`); this one reads them all, as GitHub shows them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.workflow.checkout import ROOT

FOLDERS = ("", "docs", "config", "benchmarks", "findings", "results")
PAGES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).glob("**/*.md" if folder == "docs" else "*.md")
    if ".venv" not in path.parts
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def links(text: str) -> list[str]:
    """Targets of a page's links and pictures within the repository; code is no link."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    text = re.sub(r"`[^`\n]*`", "", text)
    return [target for target in _LINK.findall(text) if not re.match(r"\w+:", target)]


def anchors(text: str) -> set[str]:
    """The headings of a page as GitHub and MkDocs spell them in addresses."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.M)
    plain = [re.sub(r"[^\w\s-]", "", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", words)) for words in headings]
    return {re.sub(r"\s+", "-", words.strip().lower()) for words in plain}


def included(page: Path) -> str:
    """A page with the pages that it includes."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r'--8<-- "([^:"]+)[^"]*"', lambda found: (ROOT / found[1]).read_text(encoding="utf-8"), text)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path, record_property):
    found = links(page.read_text(encoding="utf-8"))
    record_property("links", len(found))
    for target in found:
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{page.relative_to(ROOT)}: {target} is not there"
        if anchor:
            assert anchor in anchors(included(there)), f"{page.relative_to(ROOT)}: no heading {target}"


def test_links_in_code_are_none_and_addresses_are_left_alone():
    assert links("[a](b.md#c) `[d](e)` <x> ![p](q.png)\n```\n[f](g)\n```\n[h](https://i)\n") == ["b.md#c", "q.png"]


def test_headings_are_spelt_as_in_addresses():
    assert anchors("# A `b`, c?\n```\n# no\n```\n## predict, nnunet\n") == {"a-b-c", "predict-nnunet"}


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.stem)
def test_a_page_begins_with_the_question_that_it_answers(page: Path):
    title, blank, question = page.read_text(encoding="utf-8").splitlines()[:3]
    if page.parent.name == "decisions" and page.stem != "index":
        return  # these begin with what was to be decided
    assert title.startswith("# ")
    assert blank == ""
    rest = page.read_text(encoding="utf-8").partition(question)[1:]
    paragraph = "".join(rest).partition("\n\n")[0]
    assert paragraph.startswith("*")
    assert paragraph.rstrip("*").endswith("?"), f"{page} does not begin with a question"
