"""The interface that SIIL and the baselines share: what training, inference and the weights file know of a network."""

from __future__ import annotations

from jaxtyping import Float, Integer
from torch import Tensor, nn

from siil.model.output import Output


class Network(nn.Module):
    """A network that labels and segments the vertebrae of a patch."""

    def forward(self, image: Float[Tensor, "B 1 Z Y X"], labels: Integer[Tensor, "B Z Y X"] | None = None) -> Output:
        """Answer for a batch of patches.

        Args:
            image: HU normalised to [-1, 1].
            labels: internal indices (any integer type), given in teacher-forced training steps alone: L is then derived
                from them, and the decoder does not get it. Baselines ignore them.

        Raises:
            ValueError: labels in eval mode. Inference needs no ground truth.
        """
        raise NotImplementedError

    def remember(self, output: Output, labels: Integer[Tensor, "B Z Y X"]) -> None:
        """Write the embeddings of a training step to the memory, after its loss. Baselines have none.

        labels: as the loss saw them; what was found in a patch with voxels that nobody annotated is written only where
        the labels name it.
        """

    def refresh_prototypes(self, seed: int) -> None:
        """Make the prototypes anew from the memory, with a seeded k-means. Baselines have none."""
