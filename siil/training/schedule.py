"""What step n is: its learning rate and its phase, as pure functions of the step (paper: section on implementation).

The three phases (method.md, section 11): ENCODER (all losses, L from the ground truth, only EN and C are updated, the
memory is left alone), TEACHER (everything trains, L from the ground truth), PREDICTED (L from the network's own L^).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from siil.config.schema.training import Train


class Phase(Enum):
    """What is updated, and where L comes from."""

    ENCODER = "encoder"
    TEACHER = "teacher"
    PREDICTED = "predicted"

    @property
    def teacher(self) -> bool:
        """Is L derived from the ground truth?"""
        return self is not Phase.PREDICTED


@dataclass(frozen=True, slots=True)
class Schedule:
    """Epochs of `settings` counted in steps. Epochs and steps are counted from 0 here."""

    settings: Train
    steps_per_epoch: int

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.settings.epochs * self.steps_per_epoch

    def phase(self, step: int) -> Phase:
        """The phase of a step. Epochs may be fractions: 0.4 epochs of 100 steps are steps 0 to 39."""
        if step < round(self.settings.encoder_epochs * self.steps_per_epoch):
            return Phase.ENCODER
        if step < round(self.settings.teacher_epochs * self.steps_per_epoch):
            return Phase.TEACHER
        return Phase.PREDICTED

    def learning_rate(self, step: int) -> float:
        """The learning rate of a step: `step` multiplies by `decay` every `decay_every_epochs`; `cosine` falls to 0."""
        rate = self.settings.learning_rate
        if self.settings.schedule == "cosine":
            return rate * 0.5 * (1 + math.cos(math.pi * step / self.steps))
        drops = math.floor(step / (self.settings.decay_every_epochs * self.steps_per_epoch))
        return rate * self.settings.decay**drops

    def starts_epoch(self, step: int) -> bool:
        """Is this the first step of an epoch?"""
        return step % self.steps_per_epoch == 0

    def ends_epoch(self, done: int) -> bool:
        """Do `done` finished steps end an epoch?"""
        return done % self.steps_per_epoch == 0

    def validates(self, done: int) -> bool:
        """Is a validation due after `done` finished steps? After every n-th epoch, and after the last one."""
        due = done % (self.settings.validate_every_epochs * self.steps_per_epoch) == 0
        return due or done == self.steps


def steps_per_epoch(settings: Train, *, cases: int) -> int:
    """Steps of an epoch: as configured, else two patches per case, as in the paper."""
    return settings.steps_per_epoch or math.ceil(2 * cases / settings.batch_size)
