"""The history of a training: history.tsv for the pipeline, TensorBoard for whoever watches.

The rows live in the resume file; history.tsv is written anew from them, so it can be rebuilt whenever it was deleted.
Epochs are counted from 1 here: a row says what was done.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from siil.run import files

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

TERMS: Final = (
    "total",
    "spine",
    "vertebrae",
    "instance",
    "semantic",
    "localisation",
    "presence",
    "contrast",
    "landmarks",
)
NORM: Final = "gradient_norm"
"""Norm of the gradient that is applied, before clipping, mean over the steps; absent in 16-mixed."""
SCORES: Final = ("dice", "binary_dice", "id_rate")
COLUMNS: Final = ("epoch", "step", "phase", "lr", "seconds", *TERMS, NORM, *SCORES)
"""phase is train or validation; seconds count from the start of the training, interruptions left out."""


class History:
    """Writes the rows of a training into `folder`. `folder=None` (processes other than the first) writes nothing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._board: SummaryWriter | None = None

    def start(self, rows: list[dict[str, Any]]) -> None:
        """Rebuild history.tsv from the rows of a resumed training; a training from scratch clears the board."""
        if self.folder is None:
            return
        from torch.utils.tensorboard import SummaryWriter

        board = self.folder / "tensorboard"
        if not rows:
            shutil.rmtree(board, ignore_errors=True)
        purge = rows[-1]["step"] + 1 if rows else None
        self._board = SummaryWriter(log_dir=str(board), purge_step=purge)
        if rows:
            self._write(rows)

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Write the table after its last row was appended, and that row to the board."""
        if self.folder is None:
            return
        self._write(rows)
        row = rows[-1]
        for name in ("lr", *TERMS, NORM, *SCORES):
            if name in row and self._board is not None:
                self._board.add_scalar(f"{row['phase']}/{name}", row[name], row["step"])

    def close(self) -> None:
        """Flush the board."""
        if self._board is not None:
            self._board.close()

    def _write(self, rows: list[dict[str, Any]]) -> None:
        assert self.folder is not None
        frame = pd.DataFrame(rows, columns=list(COLUMNS))
        text = frame.to_csv(sep="\t", index=False, lineterminator="\n", float_format="%.6g")
        files.write_text(self.folder / "history.tsv", text)
