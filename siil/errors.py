"""The one family of errors that a user can cause and mend.

A `SiilError` becomes one `ERROR:` line and exit code 2 at the command line (see `siil.cli`); anything else is a bug and
keeps its traceback. A message says which file or argument, what was expected, what came, and what to do.
"""


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
