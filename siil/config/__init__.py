"""The configuration: what every key means, which files lay which values, and what a stage gets to see of it.

Lives here: schema/ (the sections and their keys), configuration (the whole, and its messages), names (of all keys),
layers, yaml_text and resolution (from files to values), sizes (what must fit), values (what a stage sees), origins
(where a value comes from), places (what must be there), keys (the reference that config/README.md holds).
Comes in: everyone who wants a value, by the names below or by a section's class. Goes out: to run, where it writes its
reference.
"""

from siil.config.configuration import Config, known_keys, run_name, runs, split_run, validate
from siil.config.layers import CONFIG_DIR, default_experiment
from siil.config.places import check_places
from siil.config.resolution import resolve
from siil.config.values import parse_overrides, partial, sections

__all__ = [
    "CONFIG_DIR",
    "Config",
    "check_places",
    "default_experiment",
    "known_keys",
    "parse_overrides",
    "partial",
    "resolve",
    "run_name",
    "runs",
    "sections",
    "split_run",
    "validate",
]
