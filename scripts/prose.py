"""Is a line of a Markdown page longer than 120 characters? Wraps those paragraphs and list items, and no others.

A command in backticks is not torn where it fits into a line.
--check says where one is. Tables, whose rows cannot be broken, are left alone; long lines of code are named, to be
mended by hand.
"""

import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 120
FOLDERS = ("benchmarks", "config", "findings", "results", "siil/report/assets")
_MARKER = re.compile(r"(\s*(?:[-*+]|\d+[.)]|>)\s+)(?=\S)")
HARD = "\N{NO-BREAK SPACE}"
_WHOLE = 100  # characters of a command that is not torn
_CODE = re.compile(r"`[^`]+`")
_STANDS_ALONE = re.compile(r"\s*$|\s*[|#]|!\[|--8<--|:::|<")
"""Blank, row of a table, heading, picture, included file, docstring, HTML."""
_INDENTED = re.compile(r"    \S")
_MEANS_SOMETHING = re.compile(r" (?=(?:[-+*#|>=:]+|\d+[.)])(?: |$))")
"""A blank before what would begin a list, heading or quotation if it came first in a line."""


def pages() -> list[Path]:
    """Every Markdown file of the repository."""
    beside = [path for folder in FOLDERS for path in (ROOT / folder).glob("*.md")]
    return sorted([*ROOT.glob("*.md"), *beside, *(ROOT / "docs").rglob("*.md")])


def wrapped(text: str) -> str:
    """The page with its long paragraphs and list items wrapped; everything else as it was."""
    done: list[str] = []
    block: list[str] = []
    fenced = False

    def close() -> None:
        torn = any(line.count("`") % 2 for line in block)
        done.extend(_wrap(block) if torn or any(len(line) > WIDTH for line in block) else block)
        block.clear()

    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            close()
            fenced = not fenced
            done.append(line)
        elif fenced or _STANDS_ALONE.match(line) or (_INDENTED.match(line) and not block):
            close()
            done.append(line)
        else:
            if _MARKER.match(line):
                close()
            block.append(line)
    close()
    return "\n".join(done) + "\n"


def _wrap(block: list[str]) -> list[str]:
    marker = _MARKER.match(block[0])
    first = marker[1] if marker else re.match(r"\s*", block[0])[0]  # type: ignore[index]
    words = " ".join([block[0][len(first) :], *block[1:]])
    words = _CODE.sub(
        lambda code: code[0].replace(" ", HARD if len(code[0]) <= _WHOLE else " "), re.sub(r"[ \t]+", " ", words)
    )
    words = _MEANS_SOMETHING.sub(HARD, words)
    lines = _fill(words, first, first if first.strip() == ">" else " " * len(first))
    return [line.replace(HARD, " ") for line in lines]


def _fill(words: str, first: str, rest: str) -> list[str]:
    """textwrap counts a no-break space as a letter and breaks at no other blank than ours."""
    return textwrap.wrap(
        words, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def long_lines(text: str) -> list[int]:
    """Numbers, from 1, of the lines that are too long and in no table."""
    return [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if len(line) > WIDTH and not line.lstrip().startswith("|")
    ]


def main(arguments: list[str]) -> int:
    """Wrap every page, or with --check name the long lines; exit code 1 where one is left."""
    left = []
    for path in pages():
        text = path.read_text(encoding="utf-8")
        if "--check" not in arguments and (new := wrapped(text)) != text:
            path.write_text(new, encoding="utf-8")
            text = new
        left += [f"{path.relative_to(ROOT)}:{number}" for number in long_lines(text)]
    for place in left:
        sys.stderr.write(f"ERROR: {place} is longer than {WIDTH} characters; `python scripts/prose.py` wraps it\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
