"""Writing files so that nothing is ever half-written: temporary file beside the target, fsync, rename.

Lowest layer: imports nothing of the package.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; rename it to `path` if the block succeeds, else delete it.

    The temporary name ends with the name of `path`, by whose suffixes (`.nii.gz`) writers choose the format, and holds
    the names of machine and process, so that what a killed one left can be removed here. Folders are made.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    ours = f".tmp-{socket.gethostname()}-"
    for left in path.parent.glob(f"{glob.escape(ours)}[0-9]*-{glob.escape(path.name)}"):
        number = left.name.removeprefix(ours).removesuffix(f"-{path.name}")
        if number.isdecimal() and is_dead(number):
            left.unlink(missing_ok=True)
    temporary = path.with_name(f"{ours}{os.getpid()}-{path.name}")
    temporary.touch()
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def is_dead(number: str) -> bool:
    """Is there no process of this number on this machine? False where processes cannot be looked up (no /proc)."""
    return Path("/proc/self").exists() and not Path("/proc", number).exists()


def write_text(path: Path, text: str) -> None:
    """Write `text` (UTF-8) to `path` atomically."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON to `path` atomically. NaN is refused: JSON has none."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def sha256(path: Path) -> str:
    """Hex SHA-256 of the bytes of `path`."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
