"""One file over HTTP that survives cuts, error pages and changed files: Range resume, and a lock of size and SHA-256.

A download grows as NAME.part beside its target; NAME.part.json remembers its ETag, so that it is gone on with only
while the server's file is the same (`If-Range`). The first complete download writes size and SHA-256 to the lock file;
later ones must match it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

from siil.errors import DatasetError
from siil.run import files

log = logging.getLogger(__name__)
RETRIES = 6
"""Attempts without progress before giving up."""
FIRST_WAIT_S = 2.0
"""Wait before the second attempt; doubles each time."""
TIMEOUT_S = 60.0
EVERY_S = 15.0
"""Between two lines about progress."""
_BLOCK = 1 << 20
_RETRIED = (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError)


def download(url: str, target: Path, *, lock: Path) -> Path:
    """Download `url` to `target`, going on where an earlier attempt was cut; checked against `lock`.

    Raises:
        DatasetError: the server refuses, delivers another file than before, or the disk is full.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    known = locked(lock).get(url)
    part = target.with_name(target.name + ".part")
    with alone(part):
        if not target.is_file():
            _attempts(url, part)
            _check_whole(part, url, known, target)
            part.replace(target)
            part.with_name(part.name + ".json").unlink(missing_ok=True)
    size, digest = target.stat().st_size, files.sha256(target)
    if known and (known["bytes"], known["sha256"]) != (size, digest):
        raise DatasetError(
            f"{target}: expected {known['bytes']} bytes with SHA-256 {known['sha256'][:12]}… as in {lock}, got {size} "
            f"bytes with {digest[:12]}…; delete the file to download it again, or the lock's entry after a new release"
        )
    if not known:
        entry = {"bytes": size, "sha256": digest, "date": time.strftime("%Y-%m-%d", time.gmtime())}
        files.write_json(lock, locked(lock) | {url: entry})
    return target


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Two runs must not write one file or folder: the second one is refused (DatasetError)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".busy").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DatasetError(f"{path}: another run is downloading this; wait for it") from None
        yield
        Path(stream.name).unlink(missing_ok=True)


def locked(lock: Path) -> dict[str, Any]:
    """What the first download wrote into the lock file; empty before it. Raises DatasetError for a damaged file."""
    try:
        return json.loads(lock.read_text(encoding="utf-8")) if lock.is_file() else {}
    except ValueError:
        raise DatasetError(
            f"{lock}: expected JSON, got something else; restore it, or delete it to trust anew"
        ) from None


def _check_whole(part: Path, url: str, known: dict[str, Any] | None, target: Path) -> None:
    """An error page with status 200 is no archive and not what the lock says: drop it, so that a run starts anew."""
    with part.open("rb") as stream:
        start = stream.read(512).lstrip().lower()
    page = start.startswith((b"<!doctype", b"<html")) or (target.suffix == ".zip" and not start.startswith(b"pk"))
    wrong = bool(known) and part.stat().st_size != known["bytes"]  # type: ignore[index]
    if page or wrong:
        size = part.stat().st_size
        part.unlink()
        expected = f"{known['bytes']} bytes" if known else "the file"
        raise DatasetError(f"{url}: expected {expected}, got {size} bytes of something else; try again later")


def _attempts(url: str, part: Path) -> None:
    failed, most = 0, part.stat().st_size if part.is_file() else 0
    while True:
        try:
            _transfer(url, part)
            return
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (401, 403, 404, 410):
                raise DatasetError(
                    f"{url}: the server says {error.code} {error.reason}; mend the source's urls"
                ) from None
            problem: Exception = error
        except _RETRIED as error:
            problem = error
        except OSError as error:
            raise DatasetError(f"{part}: {one_line(error)}; free some disk space and run fetch again") from None
        have = part.stat().st_size if part.is_file() else 0
        failed = 0 if have > most else failed + 1  # only what was never there before is progress
        most = max(most, have)
        if failed >= RETRIES:
            raise DatasetError(
                f"{url}: {one_line(problem)} after {RETRIES} attempts; run fetch again, it goes on"
            ) from None
        wait_s = FIRST_WAIT_S * 2**failed
        log.warning("%s: %s; trying again in %.0f s", url, one_line(problem), wait_s)
        time.sleep(wait_s)


def _transfer(url: str, part: Path) -> None:
    """One request. Appends to `part` when the server goes on from there, else starts anew."""
    notes = part.with_name(part.name + ".json")
    have = part.stat().st_size if part.is_file() else 0
    etag = json.loads(notes.read_text())["etag"] if have and notes.is_file() else ""
    request = urllib.request.Request(url, headers={"User-Agent": "siil"})
    if have and etag:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", etag)
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the part is not shorter than the file: it belongs to another one
            part.unlink()
        raise
    with answer:
        goes_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if not goes_on:
            have = 0
            tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
            files.write_json(notes, {"etag": "" if tag.startswith("W/") else tag})
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        free = shutil.disk_usage(part.parent).free
        if total is not None and total - have > free:
            raise OSError(errno.ENOSPC, f"{(total - have) / 1e9:.1f} GB to come, {free / 1e9:.1f} GB free")
        _copy(answer, part, have=have, total=total, name=url.split("/")[-1])
    if total is not None and part.stat().st_size != total:
        raise ConnectionError(f"cut at {part.stat().st_size} of {total} bytes")


def _copy(answer: Any, part: Path, *, have: int, total: int | None, name: str) -> None:
    begin = last = time.monotonic()
    start = have
    with part.open("r+b" if have else "wb") as stream:
        stream.seek(have)
        while block := answer.read(_BLOCK):
            stream.write(block)
            have += len(block)
            now = time.monotonic()
            if now - last >= EVERY_S:
                rate = (have - start) / (now - begin)
                left = f", about {(total - have) / rate:.0f} s left" if total else ""
                log.info("%s: %.1f MB%s, %.1f MB/s%s", name, have / 1e6, _of(total), rate / 1e6, left)
                last = now
        stream.flush()
        os.fsync(stream.fileno())


def _of(total: int | None) -> str:
    return f" of {total / 1e6:.1f} MB" if total else ""


def one_line(error: BaseException) -> str:
    """Kind and text of an error in one short line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
