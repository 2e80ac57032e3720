"""Writing files so that nothing is ever half-written: temporary file beside the target, fsync, rename.

Lowest layer.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from siil.errors import InputError


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


def check_place(path: Path, *, folder: bool) -> None:
    """Raise InputError where `path` cannot be written, before any work is done for it. Nothing is left there.

    folder: files go into it, and not to the path itself.
    """
    there = path if folder else path.parent
    while not there.exists() and there != there.parent:
        there = there.parent
    if not folder and path.is_dir():
        raise InputError(f"{path}: expected a file to write, got a folder; name a file in it")
    if not there.is_dir():
        below = "" if there == path else f" below the file {there}"
        raise InputError(
            f"{path}: expected a folder to write into, got a {'path' if below else 'file'}{below}; choose another place"
        )
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".tmp-", dir=there))
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror} in {there}); choose another place") from None


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
