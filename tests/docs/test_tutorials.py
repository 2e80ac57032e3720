"""What the tutorials tell people to type works, and prints what the page says.

A fenced `bash` block without a title runs as it stands, those of a page in order, in a copy of the repository; a title
says what a block needs that is not here. A `text` block after it is what it prints (… for anything).
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.workflow.checkout import ROOT, Checkout

TUTORIALS = sorted(path for path in (ROOT / "docs" / "tutorials").glob("*.md") if path.stem != "index")
PICTURES = {
    "label": {"out/abdomen2_preview.png": "tutorial-preview.png"},
    "audit": {"audit/suspects.png": "tutorial-suspects.png"},
}
"""Tutorial -> file that its commands write -> picture of docs/figures that shows it."""
HERE = 'siil() { python -m siil "$@"; }\n'
"""The copy's own `siil`, not the one that is installed."""
_FENCE = re.compile(r"^```(\w+)(?: title=\"([^\"]+)\")?\n(.*?)^```$", flags=re.M | re.S)


@dataclass(frozen=True, slots=True)
class Block:
    """Commands of a page, and what they are said to print. needs: what is missing here to run them."""

    commands: str
    needs: str
    prints: str


def blocks(text: str) -> list[Block]:
    """The `bash` blocks of a page in order."""
    found: list[Block] = []
    for kind, title, body in _FENCE.findall(text):
        if kind == "bash":
            found.append(Block(body, title, ""))
        elif kind == "text" and found and not found[-1].prints:
            found[-1] = Block(found[-1].commands, found[-1].needs, body)
    return found


def said_as_shown(output: str, shown: str) -> bool:
    """Does each line of `shown` stand in the output, with … for anything?"""
    lines = [".*".join(re.escape(part) for part in line.split("…")) for line in shown.splitlines()]
    return all(re.search(f"^{line}$", output, flags=re.M) for line in lines)


def follow(page: Path, folder: Path) -> Checkout:
    """Run the blocks of a tutorial in a copy of the repository below `folder`."""
    checkout = Checkout(folder / "repository")
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.needs:
            continue
        said = checkout.do("bash", "-euo", "pipefail", "-c", HERE + block.commands)
        assert said_as_shown(said, block.prints), f"{page.name} shows\n{block.prints}\nbut this came:\n{said[-2000:]}"
    return checkout


@pytest.mark.slow
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs_and_prints_what_it_says(page: Path, tmp_path: Path):
    checkout = follow(page, tmp_path)
    for made in PICTURES.get(page.stem, {}):
        assert (checkout.folder / made).is_file()


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_what_a_tutorial_does_not_run_says_why_and_the_rest_is_something(page: Path):
    found = blocks(page.read_text(encoding="utf-8"))
    assert any(not block.needs for block in found)
    assert [block.needs for block in found if block.needs and not block.needs.startswith("needs ")] == []


def test_blocks_are_read_with_their_titles_and_answers():
    page = '```bash\nsay hello\n```\n\n```text\nhello …\n```\n\n```bash title="needs a GPU"\ntrain\n```\n'
    assert blocks(page) == [Block("say hello\n", "", "hello …\n"), Block("train\n", "needs a GPU", "")]


def test_an_answer_that_is_not_the_one_shown_is_found():
    assert said_as_shown("so\nhello world\n", "hello …\n")
    assert not said_as_shown("goodbye world\n", "hello …\n")
    assert not said_as_shown("oh hello world\n", "hello …\n")


def draw_pictures(folder: Path) -> None:
    """Follow the tutorials that have pictures and put these into docs/figures."""
    for page in TUTORIALS:
        if page.stem in PICTURES:
            checkout = follow(page, folder / page.stem)
            for made, name in PICTURES[page.stem].items():
                shutil.copyfile(checkout.folder / made, ROOT / "docs" / "figures" / name)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as work:
        draw_pictures(Path(work))
