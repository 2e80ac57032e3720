"""The score of the second look on crops of the validation cases, which chooses the best epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from siil.anatomy import UNLABELLED
from siil.config.schema.refine import Refine
from siil.inference.crops import Crop
from siil.inference.second_look import classes
from siil.model.second_look import THIS
from siil.scan.grid import Grid
from siil.training.crop_batches import Place
from siil.training.lessons import Lesson


@dataclass(frozen=True)
class CropValidator:
    """Called with a network, gives `dice`: the mean over whole lessons of the Dice of "this", at the crops' spacing."""

    places: tuple[Place, ...]
    settings: Refine
    device: torch.device
    precision: str

    def __call__(self, network: torch.nn.Module) -> dict[str, float]:
        """Score `network`, whose mode stays as it is."""
        was_training = network.training
        network.eval()
        try:
            return {"dice": float(np.mean([self._score(network, place.read()) for place in self.places]))}
        finally:
            network.train(was_training)

    def _score(self, network: torch.nn.Module, lesson: Lesson) -> float:
        settings, (z, y, x) = self.settings, lesson.image.shape
        crop = Crop(0, (0, 0, 0), Grid((z, y, x), (settings.spacing_mm,) * 3), lesson.image, lesson.own, lesson.others)
        [chances] = classes(network, [crop], window_hu=settings.window_hu, device=self.device, precision=self.precision)
        found = (chances.argmax(axis=0) == THIS) & (lesson.truth != UNLABELLED)
        there = lesson.truth == THIS
        return float(2 * (found & there).sum() / max(1, found.sum() + there.sum()))
