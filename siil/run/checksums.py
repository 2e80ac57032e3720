"""Lists of files with their SHA-256, as `sha256sum --check` reads them: what a step of many scans tells the workflow.

A step that goes through its scans in one process declares such a list and nothing else: Snakemake deletes what a failed
job declares, and a scan that is done must outlive the failure of another.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from siil.errors import DatasetError, why
from siil.run import files


def write(path: Path, digests: Mapping[Path, str]) -> None:
    """Write the list, a line per file: SHA-256, two spaces, path."""
    files.write_text(path, "".join(f"{digest}  {name}\n" for name, digest in digests.items()))


def read(path: Path) -> dict[Path, str]:
    """Path -> SHA-256, in the order of the list. Raises DatasetError for what is no such list."""
    try:
        parted = [line.partition("  ") for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: no list of checksums ({why(error)}); run the workflow again") from None
    if any(len(digest) != 64 or not name for digest, _, name in parted):
        raise DatasetError(f"{path}: expected lines of SHA-256 and path, as of sha256sum; run the workflow again")
    return {Path(name): digest for digest, _, name in parted}


def untrue(path: Path) -> Path | None:
    """The first file that is not as listed: gone, or newer than the list and of other bytes. None where all are.

    Files older than the list are taken to be unchanged, as Snakemake and make do, so a thousand scans take no time.
    """
    made = Path(path).stat().st_mtime_ns
    for name, digest in read(path).items():
        try:
            changed = name.stat().st_mtime_ns > made and files.sha256(name) != digest
        except OSError:
            changed = True
        if changed:
            return name
    return None
