"""The loss of the landmarks: Dice + CE of sacrum and of ribs, where somebody looked for them.

Labels that train hold landmarks beside the vertebrae (siil.anatomy: SACRUM, RIB, and UNSOUGHT background where nobody
annotated one or both). A vertebra is neither; what is UNLABELLED is unknown. To every other term they are background.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from siil.anatomy import LANDMARKS, RIB, SACRUM, UNLABELLED, UNNAMED, UNSOUGHT
from siil.losses.segmentation import binary


def landmarks(logits: Float[Tensor, "B 2 Z Y X"], labels: Integer[Tensor, "B Z Y X"]) -> Float[Tensor, " B"]:
    """The mean over both channels; a channel of which a patch knows nothing counts 0."""
    terms = []
    for channel, (name, index) in enumerate(zip(LANDMARKS, (SACRUM, RIB), strict=True)):
        known = labels != UNLABELLED
        for unsought, value in UNSOUGHT.items():
            if name in unsought:
                known &= labels != value
        terms.append(binary(logits[:, channel], labels == index, known))
    return torch.stack(terms).mean(0)


def without_landmarks(labels: Integer[Tensor, "*rest"]) -> Integer[Tensor, "*rest"]:
    """Labels as every other term, and the network, want them."""
    return labels.masked_fill((labels >= SACRUM) & (labels < UNNAMED), 0)
