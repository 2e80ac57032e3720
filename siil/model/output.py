"""What a network returns: its answers at full resolution and, for SIIL, everything of its core that has a name.

Tensors are [B, C, Z, Y, X]; z, y, x is the low-resolution grid (patch / s). Classes are internal indices, 0 background.
Read by the losses, by inference and by the figures.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Core:
    """The two token streams, as far as losses, inference and figures need them. Every logit is float32 (or float64).

    semantic_logits: R~ before its sigmoid: spine at low resolution.
    instance_logits: S~ before its sigmoid: a vertebra per row, -6 outside its slices; row 0 is -6 everywhere.
    localisation_logits: L^: does slice i contain class j? Row 0 is a constant (background is everywhere).
    localisation: L, derived from L^ or from the ground truth, widened by a slice. Row 0 is all ones.
    presence_logits: C, of the classes 1 to K-1.
    embeddings: e, one per class; zeros where absent. Background's row means nothing.
    present: any(L); background always.
    memory: M as it was in this forward pass; None without OCPL.
    filled: slots of M that were written to; None without OCPL.
    teacher: L came from the ground truth, so the decoder saw zeros for S~ and R_P was zero.
    """

    semantic_logits: Float[Tensor, "B 1 z y x"]
    instance_logits: Float[Tensor, "B K z y x"]
    localisation_logits: Float[Tensor, "B K z"]
    localisation: Bool[Tensor, "B K z"]
    presence_logits: Float[Tensor, "B J"]
    embeddings: Float[Tensor, "B K E"]
    present: Bool[Tensor, "B K"]
    memory: Float[Tensor, "K q E"] | None
    filled: Bool[Tensor, "K q"] | None
    teacher: bool


@dataclass(frozen=True)
class Output:
    """Logits of a patch: `spine` is O_R, `vertebrae` is O_S. `core` is None for the baselines. `landmarks`: sacrum and
    ribs (siil.anatomy.LANDMARKS), a sigmoid each; None of a network without that head."""

    spine: Float[Tensor, "B 1 Z Y X"]
    vertebrae: Float[Tensor, "B K Z Y X"]
    core: Core | None
    landmarks: Float[Tensor, "B 2 Z Y X"] | None = None
