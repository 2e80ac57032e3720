"""What does each table and figure of `snakemake --report` show? Writes its captions from what the code says of each.

`make schema` runs it; --check says whether workflow/report/ is in step. The rules cannot ask the code themselves: it
would load pandas and matplotlib each time Snakemake starts.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from siil.report import figures, tables
from siil.run import files
from siil.run.provenance import PACKAGE, RESEARCH_USE

ROOT = PACKAGE.parent
FOLDER = ROOT / "workflow" / "report"
OF = "Held-out scans of experiment *{{ snakemake.wildcards.experiment }}*."
GRIDS = """\
``working`` is the grid that the network works on, ``input`` the scan's own grid, ``ceiling`` what a perfect map of the
working grid reaches there; ``first look`` is without the second, ``network alone`` without decoding."""


def pages() -> dict[Path, str]:
    """Path -> text of every caption."""
    said = {FOLDER / "figures" / f"{name}.rst": [about.caption, OF] for name, about in figures.FIGURES.items()}
    for name in tables.NAMES:
        first = (getattr(tables, name).__doc__ or "").split("\n")[0]
        said[FOLDER / "tables" / f"{name}.rst"] = [first, OF, GRIDS]
    return {path: "\n\n".join([*parts, RESEARCH_USE]) + "\n" for path, parts in said.items()}


def main(arguments: list[str]) -> int:
    """Write all captions, or with --check say which is out of step (exit code 1)."""
    if "--check" not in arguments:
        for path, text in pages().items():
            files.write_text(path, text)
        return 0
    wrong = [path for path, text in pages().items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in wrong:
        sys.stderr.write(f"ERROR: {path.relative_to(ROOT)} is out of step with siil/report; run `make schema`\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
