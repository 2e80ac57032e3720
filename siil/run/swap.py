"""Files of one result changed together: all new ones are made first, then each takes the place of the old one.

Between the two lies one rename, of the folder that holds them: before it nothing has happened, after it the change is
finished by whoever comes next (`finish`), however often the process is killed. The first version of each file stays
beside it as `.before` until it is discarded or taken back. Lowest layer, beside `siil.run.files`.
"""

from __future__ import annotations

import glob
import os
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from siil.run import files

BEFORE = ".before"
GONE = ".gone"
_REQUEST = ".request"


@contextmanager
def making(folder: Path, key: str) -> Iterator[Path]:
    """A hidden folder of this process in `folder`, removed at the end; those of killed ones of this machine go too."""
    ours = f".tmp-{key}-{socket.gethostname()}-"
    for left in folder.glob(f"{glob.escape(ours)}*"):
        number = left.name.removeprefix(ours)
        if number.isdecimal() and (number == str(os.getpid()) or files.is_dead(number)):
            shutil.rmtree(left, ignore_errors=True)
    made = folder / f"{ours}{os.getpid()}"
    made.mkdir()
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def replace(made: Path, folder: Path, key: str, names: Iterable[str], *, last: str) -> None:
    """Move the files that were made into place, `last` at the end: where it lies, the others are whole and of one run.

    names: all that may lie there. What was not made goes, and so does what an earlier change kept.
    """
    (folder / last).unlink(missing_ok=True)
    names = list(names)
    forget(folder, key, names)
    for name in names:
        if not (made / name).exists():
            (folder / name).unlink(missing_ok=True)
    for path in sorted(made.iterdir(), key=lambda path: (path.name == last, path.name)):
        path.replace(folder / path.name)


def give_up(made: Path, name: str) -> None:
    """Say in the folder that is being made that there is no new version of the file `name`: the old one goes."""
    (made / f"{name}{GONE}").touch()


def commit(made: Path, folder: Path, key: str, *, request: str, last: str) -> None:
    """Put all files that were made into place. request: what was asked for. last: the file that goes last."""
    files.write_text(made / _REQUEST, request)
    made.rename(_ready(folder, key))
    finish(folder, key, last=last)


def finish(folder: Path, key: str, *, last: str) -> str | None:
    """End a change that was committed and not ended: what had been asked for, or None where there is none."""
    ready = _ready(folder, key)
    if not ready.is_dir():
        return None
    request = ready / _REQUEST
    asked = request.read_text("utf-8") if request.is_file() else None
    for path in sorted(ready.iterdir(), key=lambda path: (path.name == last, path.name)):
        if path == request:
            continue
        place = folder / path.name.removesuffix(GONE)
        beside = place.with_name(place.name + BEFORE)
        if path.name != last and place.is_file() and not beside.exists():
            with files.atomic(beside) as copy:
                shutil.copyfile(place, copy)
        if path.name.endswith(GONE):
            place.unlink(missing_ok=True)
            path.unlink()
        else:
            path.replace(place)
    request.unlink(missing_ok=True)
    ready.rmdir()
    return asked


def kept(folder: Path, names: Iterable[str]) -> list[Path]:
    """The `.before` of these files that are there."""
    return [path for name in names if (path := folder / f"{name}{BEFORE}").is_file()]


def take_back(made: Path, folder: Path, names: Iterable[str]) -> None:
    """Make the files of `made` from what was kept of these."""
    for path in kept(folder, names):
        shutil.copyfile(path, made / path.name.removesuffix(BEFORE))


def forget(folder: Path, key: str, names: Iterable[str]) -> list[Path]:
    """Remove the `.before` of these files, and a change that was not ended. Returns what was removed."""
    shutil.rmtree(_ready(folder, key), ignore_errors=True)
    gone = kept(folder, names)
    for path in gone:
        path.unlink()
    return gone


def _ready(folder: Path, key: str) -> Path:
    return folder / f".change-{key}"
