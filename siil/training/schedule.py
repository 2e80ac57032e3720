"""What step n is: its round, its learning rate and its phase, as pure functions of the step.

The three phases, as in the paper: ENCODER (all losses, L from the ground truth, only EN and C are updated, the
memory is left alone), TEACHER (everything trains, L from the ground truth), PREDICTED (L from the network's own L^).
Rounds follow each other without a break: the learning rate begins anew, nothing else does.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from itertools import accumulate

from siil.config.schema.training import Round, Train


class Phase(Enum):
    """What is updated, and where L comes from."""

    ENCODER = "encoder"
    TEACHER = "teacher"
    PREDICTED = "predicted"

    @property
    def teacher(self) -> bool:
        """Is L derived from the ground truth?"""
        return self is not Phase.PREDICTED


def rounds_of(settings: Train) -> tuple[Round, ...]:
    """The rounds of a training: those that it names, else the one that its own keys describe."""
    single = Round(epochs=settings.epochs, learning_rate=settings.learning_rate, shares=settings.shares)
    return settings.rounds or (single,)


@dataclass(frozen=True)
class Schedule:
    """Epochs of `settings` counted in steps. Epochs, rounds and steps are counted from 0 here."""

    settings: Train
    steps_per_epoch: int

    @cached_property
    def rounds(self) -> tuple[Round, ...]:
        """The rounds in their order."""
        return rounds_of(self.settings)

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """The step after the last one of each round."""
        return tuple(accumulate(one.epochs * self.steps_per_epoch for one in self.rounds))

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.ends[-1]

    def round(self, step: int) -> int:
        """The round of a step."""
        return min(bisect_right(self.ends, step), len(self.ends) - 1)

    def phase(self, step: int) -> Phase:
        """The phase of a step. Epochs may be fractions: 0.4 epochs of 100 steps are steps 0 to 39."""
        if step < round(self.settings.encoder_epochs * self.steps_per_epoch):
            return Phase.ENCODER
        if step < round(self.settings.teacher_epochs * self.steps_per_epoch):
            return Phase.TEACHER
        return Phase.PREDICTED

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step, counted from the start of its round: `step` multiplies by `decay` every
        `decay_every_epochs`; `cosine` falls to 0."""
        number = self.round(step)
        start = self.ends[number - 1] if number else 0
        rate, done = self.rounds[number].learning_rate, step - start
        if self.settings.schedule == "cosine":
            return rate * 0.5 * (1 + math.cos(math.pi * done / (self.ends[number] - start)))
        return rate * self.settings.decay ** math.floor(
            done / (self.settings.decay_every_epochs * self.steps_per_epoch)
        )

    def shares(self, step: int) -> Mapping[str, float]:
        """Source -> share of the patches of a step; empty where every case counts equally."""
        return self.rounds[self.round(step)].shares

    def starts_epoch(self, step: int) -> bool:
        """Is this the first step of an epoch?"""
        return step % self.steps_per_epoch == 0

    def ends_epoch(self, done: int) -> bool:
        """Do `done` finished steps end an epoch?"""
        return done % self.steps_per_epoch == 0

    def validates(self, done: int) -> bool:
        """Is a validation due after `done` finished steps? After every n-th epoch, and after the last of a round."""
        due = done % (self.settings.validate_every_epochs * self.steps_per_epoch) == 0
        return due or done in self.ends

    def decides(self, done: int) -> bool:
        """May the weights after `done` finished steps be the best? Those of the last round alone."""
        return self.round(done - 1) == len(self.rounds) - 1


def steps_per_epoch(settings: Train, *, cases: int) -> int:
    """Steps of an epoch: as configured, else two patches per case, as in the paper."""
    return settings.steps_per_epoch or math.ceil(2 * cases / settings.batch_size)
