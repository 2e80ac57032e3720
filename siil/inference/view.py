"""What a scan shows to count by: the borders between neck, chest and loins.

Twelve thoracic and five lumbar vertebrae are what most people have. That there is one more or one less cannot be seen
in the vertebra itself, only by counting from one border of the region to the other. The network knows the region of a
cross-section far better than its number, so its regions say whether a border is in view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from siil.anatomy import VERTEBRAE
from siil.inference.enumeration import unusual
from siil.inference.evidence import STEP_MM

_REACH_MM, _SURE_MM = 24.0, 10.0
"""A border is in view where at least so much within reach of it on either side is surely of its region: less than half
of a C7 does not count."""


@dataclass(frozen=True, slots=True)
class View:
    """neck, loin: the borders between C7 and T1, and between the last thoracic and the first lumbar, are in view."""

    neck: bool
    loin: bool

    @property
    def thoracic(self) -> bool:
        """The thoracic vertebrae can be counted."""
        return self.neck and self.loin


def find_view(share: np.ndarray) -> View:
    """The borders that the network sees. share: [S, K] distribution over the classes per bin, from the head down."""
    neck, chest, loins = (
        share[:, [v.index for v in VERTEBRAE if v.region == region]].sum(axis=1) > 0.5 for region in "CTL"
    )
    return View(neck=_meet(neck, chest), loin=_meet(chest, loins))


def _meet(above: np.ndarray, below: np.ndarray) -> bool:
    """Is there a position with enough of `above` right before it and of `below` right after it?"""
    reach = round(_REACH_MM / STEP_MM)
    window = np.ones(reach)
    before = np.convolve(above, window)[: len(above)]  # of the bins up to each one
    after = np.convolve(below[::-1], window)[: len(below)][::-1]
    least = _SURE_MM / STEP_MM
    return bool(((before[:-1] >= least) & (after[1:] >= least)).any())


def hidden(names: tuple[str, ...], view: View) -> list[str]:
    """What is unusual about `names` (from the head down) and cannot be counted in this view."""
    return [what for what in unusual(names) if not (view.loin if what == "with L6" else view.thoracic)]
