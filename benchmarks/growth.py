"""The figure of how the numbers grow with phantoms seen and steps trained.

    python -m benchmarks.growth runs.tsv --output docs/figures

runs.tsv has a row per training: series, phantoms, steps, and of id_rate, dice, all_right what was measured (the row
`phantoms` of benchmarks/labels.py). Writes growth.png and growth.pdf.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from siil.errors import SiilError
from siil.report.growth import growth_figure
from siil.report.style import save


def main() -> None:
    """Read the table, draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    try:
        save(growth_figure(pd.read_csv(options.runs, sep="\t")), options.output, "growth")
    except (OSError, ValueError, SiilError) as error:
        raise SystemExit(f"ERROR: {options.runs}: {error}") from None


if __name__ == "__main__":
    main()
