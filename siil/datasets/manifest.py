"""What a source consists of: one row per file with its size and SHA-256, written by `fetch`, read by `index`.

The manifest lies beside the source's folder, never in it (a user's own folder is not written to). Paths are relative
to the working directory of the pipeline where the file lies under it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from siil.errors import DatasetError
from siil.run import files

_COLUMNS = ["path", "bytes", "sha256"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One file."""

    path: Path
    size: int
    sha256: str


def entry(path: Path) -> Entry:
    """The entry of a file that is there."""
    path = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return Entry(path, path.stat().st_size, files.sha256(path))


def tree(folder: Path) -> list[Path]:
    """Every file under `folder`, sorted; hidden files and unfinished downloads are left out.

    Raises:
        DatasetError: no such folder, or a link that leads out of it.
    """
    if not folder.is_dir():
        what = "a file" if folder.is_file() else "nothing"
        raise DatasetError(f"{folder}: expected a folder, got {what}; put the data there or name another source")
    inside = folder.resolve()
    found = []
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or path.suffix == ".part":
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            raise DatasetError(
                f"{path}: a link that leads out of {folder}; copy the file, or make `path` the real folder"
            )
        if path.is_file():
            found.append(path)
    return found


def write_manifest(path: Path, entries: Iterable[Entry]) -> None:
    """Write entries sorted by path, as TSV."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(sorted([str(item.path), item.size, item.sha256] for item in entries))
    files.write_text(path, text.getvalue())


def read_manifest(path: Path) -> list[Entry]:
    """The entries of a manifest; each file must be there with its size (its hash is not computed again).

    Raises:
        DatasetError: not a manifest, or a file is missing or has another size.
    """
    with Path(path).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t"))
    if not rows or rows[0] != _COLUMNS:
        raise DatasetError(f"{path}: expected a manifest with columns {' '.join(_COLUMNS)}; run the fetch step again")
    entries = [Entry(Path(name), int(size), digest) for name, size, digest in rows[1:]]
    for item in entries:
        size = item.path.stat().st_size if item.path.is_file() else None
        if size != item.size:
            got = "nothing" if size is None else f"{size} bytes"
            raise DatasetError(f"{item.path}: expected {item.size} bytes as in {path}, got {got}; run fetch again")
    return entries
