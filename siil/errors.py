"""The one family of errors that a user can cause and mend.

A `SiilError` becomes one `ERROR:` line and exit code 2 at the command line (see `siil.cli`); anything else is a bug and
keeps its traceback. A message says which file or argument, what was expected, what came, and what to do.
"""

from __future__ import annotations

import errno

_MENDABLE = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ELOOP),  # disks and network folders that went away
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
)


class SiilError(Exception):
    """Something that the user can mend. The message is one line, without a trailing full stop after a path."""


class ConfigError(SiilError):
    """A key, value or overlay of the configuration is wrong."""


class InputError(SiilError):
    """An image, mask or series cannot be used as it is."""


class DatasetError(SiilError):
    """A dataset is incomplete, inconsistent, or not what its source promised."""


class WeightsError(SiilError):
    """A weights or checkpoint file is missing, damaged, unsafe, or belongs to another configuration."""


class TrainingError(SiilError):
    """Training cannot go on, for example because a loss is not finite."""


def message(error: Exception) -> str | None:
    """The one line for an error that the user can mend; None for a bug."""
    if isinstance(error, OSError) and error.errno in _MENDABLE:
        return f"{error.filename or 'writing'}: {error.strerror}; make room or give a folder that can be written"
    return " ".join(str(error).split()) if isinstance(error, SiilError) else None


def why(error: Exception) -> object:
    """What an error of the system or of a library says, without the number and the path of the system's."""
    return getattr(error, "strerror", None) or error
