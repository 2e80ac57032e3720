"""The pipeline as a table: one word per step, used as rule, verb, module, output folder and test file.

`sections` are the parts of the configuration that the stage may read (siil.config.sections); its Snakemake rule puts
exactly these into `params` (`fetch` those of its own source), so that a changed value reruns exactly what uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Stage:
    """One step. `name` is the rule, the verb and the module in siil.stages."""

    name: str
    sections: tuple[str, ...]


_INDEX: Final = (
    "dataset.name",
    "dataset.sources",
    "dataset.editions",
    "dataset.known_defects",
    "dataset.exclude",
)
_TRAIN: Final = (
    "experiment",  # stands in the weights file
    "dataset.preprocess.spacing_mm",
    "dataset.preprocess.window_hu",
    "patch",
    "model",
    "loss",
    "train",
    "inference.overlap",  # validation slides the same window; decoding is not part of it
    "inference.blending",
    "inference.batch_size",
    "inference.localise",
    "inference.spine_threshold",
)
_REFINE: Final = (
    "experiment",  # stands in the weights file
    "refine",
    "train.seed",
    "train.clip_norm",
    "train.precision",
    "train.checkpoint_every_steps",
    "inference",
)
_INTERVALS: Final = ("report.bootstrap", "report.confidence", "report.seed")
STAGES: Final[tuple[Stage, ...]] = (
    Stage("fetch", ("dataset.accept_licence", "dataset.sources")),
    Stage("index", _INDEX),
    Stage("audit", ("dataset.exclude",)),
    Stage("preprocess", ("dataset.preprocess",)),
    Stage("pap", ("dataset.pap",)),
    Stage("split", ("dataset.split", "dataset.pap.rare")),
    Stage("train", _TRAIN),
    Stage("refine", _REFINE),
    Stage("adapt", (*_TRAIN, "adapt", "dataset.preprocess", "dataset.pap", "inference")),
    Stage("test", ("inference",)),
    Stage("evaluate", ("evaluate",)),
    Stage("aggregate", ("models", "repeats", "folds", *_INTERVALS)),
    Stage("tables", (*_INTERVALS, "report.averaging")),
    Stage("figures", ("models", "folds", *_INTERVALS)),
    Stage("report", ("experiment", "description", "models", "folds", "report")),
)
VERBS: Final = tuple(stage.name for stage in STAGES)
BY_NAME: Final = {stage.name: stage for stage in STAGES}
OWN_VERBS: Final = ("predict", "relabel", "check", "score", "trace", "config")
"""Verbs for a user's own scans, label maps and questions. No rule calls them; the module of each that reads the
configuration has its sections in SECTIONS."""
