"""Zip archives, unpacked so that nothing lands outside their folder and nothing is half-unpacked.

Low layer: used by `dicom` (a series in a zip) and by `datasets.download`.
"""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Final

from siil.errors import InputError

PACKED: Final = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
"""Suffixes of packed files. A zip is opened where it is what the user gave; else the error says to unpack it."""


def unpack(packed: Path, place: Path) -> None:
    """Test `packed`, then unpack it to `place` (which must not exist yet).

    Raises:
        InputError: not a zip, damaged, no room, or a member that is a link or would leave the folder.
    """
    temporary = place.with_name(f".tmp-{place.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with zipfile.ZipFile(packed) as archive:
            members = [member for member in archive.infolist() if not _is_nothing(member)]
            for member in members:
                check_member(member, packed)
            broken = archive.testzip()
            if broken:
                raise InputError(f"{packed}: member {broken!r} is damaged; download or copy the archive again")
            temporary.mkdir(parents=True)
            archive.extractall(temporary, members)
        temporary.replace(place)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        got = "another file" if "not a zip" in str(error) else error
        raise InputError(f"{packed}: expected a zip archive, got {got}; download or copy it again") from None
    except OSError as error:
        raise InputError(f"{packed}: cannot be unpacked to {place} ({error.strerror}); free some disk space") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def names(packed: Path) -> list[PurePosixPath]:
    """Names of the files in a zip; none where the file is no zip (`unpack` raises the error for that)."""
    try:
        with zipfile.ZipFile(packed) as archive:
            return [PurePosixPath(name.replace("\\", "/")) for name in archive.namelist() if not name.endswith("/")]
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError):
        return []


def _is_nothing(member: zipfile.ZipInfo) -> bool:
    """An entry of the archive's own root (`./`, `/` or no name), as some packers write: there is nothing to unpack."""
    return not [part for part in member.filename.replace("\\", "/").split("/") if part not in ("", ".")]


def check_member(member: zipfile.ZipInfo, packed: Path) -> None:
    """Raise InputError for a member that is a link or whose name leads out of the folder."""
    name = PurePosixPath(member.filename.replace("\\", "/"))
    if not name.parts or name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
        raise InputError(f"{packed}: member {member.filename!r} leads out of the folder; do not trust this archive")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError(f"{packed}: member {member.filename!r} is a link; do not trust this archive")
