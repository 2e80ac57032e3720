"""SIIL: Semantics and Instance Interactive Learning (Mao, Feng, Zhang, Ning; Medical Image Analysis, 2025).

doi 10.1016/j.media.2024.103380. Written from the published description; docs/method.md is our specification.
The paper's figure and the variables of `Siil.forward` and `Siil.interact`:

    I    image              the patch                  EN   self.encoder         Ms   SelfAttention
    F    F                  features of EN             C    C, self.presence     Mc   CrossAttention
    R1   R1                 a token per slice          L^   L_hat, self.mill     L    L, derived from L^ or the labels
    R2   R2                 Ms of R1                   Q    L @ R2 (S_R2), then L @ R3 (S_R3)
    S1   S1                 a token per vertebra       e    e, self.ocpl; M and P are buffers of self.ocpl
    S2   S2                 Mc and Ms of S1            R_P  R_P, P placed by L
    R3   R3                 Mc of R2, queries R_P      R~   R_tilde, R3 in image space
    S3   S3                 Mc and Ms of S2            S~   S_tilde, S3 in image space, placed by L
    DE   self.decoder                                  O_R  spine                O_S  vertebrae

Its losses, in siil.losses (weighted and summed by total.total_loss):

    DiceCE(O_R), DiceCE(R~)  segmentation.binary       L_L  localisation.localisation
    DiceCE(O_S)  segmentation.classes_softmax          L_C  presence.presence
                 (the paper's: classes_sigmoid)        L_M  contrastive.contrast
    DiceCE(S~)   segmentation.instances

Deviations from the paper (reasons in docs/method.md):
  1. 1.5 mm spacing, and limits on heights in millimetres: the paper's spacing is not public.
  2. Presence pools mean and max; instance norm leaves nothing in the mean alone.
  3. In steps with L from the ground truth the decoder receives zeros for S~, and R_P is zero: L's rows are the labels.
  4. S~ is -6, not 0, outside an instance; the decoder receives sigmoid(S~) and sigmoid(R~).
  5. Runs of L that the patch's end cuts are exempt from the smallest height.
  6. O_S is a softmax over K by default; the paper's sigmoid per class is an option.
  7. The core runs in the parameters' own precision under autocast: 1 % of the arithmetic, thousands of casts.
  8. By default (not in model as_published): tokens see pooled slices (`slices`), R~ and S~ gain the product of their
     token with F (`semantic_map`, `instance_map`), O_S gains log sigmoid(L^) of its slices (`prior`), one decoder.
  9. DE may have a head more, for sacrum and ribs (`landmarks`), which nothing else in the network reads.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Integer
from torch import Tensor, nn
from torch.nn import functional

from siil.model.attention import FeedForward, InstanceStack, PrototypeAttention, SelfAttention
from siil.model.encoder import Presence
from siil.model.mill import Mill, occupied_slices, told_classes
from siil.model.network import Network
from siil.model.ocpl import Ocpl
from siil.model.output import Core, Output
from siil.model.tokens import FlatSlices, InstanceMap, InstanceTokens, PooledSlices, SemanticMap, SliceTokens


class Siil(Network):
    """The network of the paper's figure, from ready sub-modules; siil.model.build makes them from the configuration."""

    def __init__(
        self,
        *,
        encoder: nn.Module,
        presence: Presence,
        slices: FlatSlices | PooledSlices,
        slice_tokens: SliceTokens,
        slice_attention: SelfAttention,
        mill: Mill,
        instance_tokens: InstanceTokens,
        instance_stack: InstanceStack,
        ocpl: Ocpl | None,
        second_exchange: PrototypeAttention | FeedForward,
        second_stack: InstanceStack,
        semantic_map: SemanticMap,
        instance_map: InstanceMap,
        decoder: nn.Module,
        stride: int,
        classes: int,
        prior: bool,
    ) -> None:
        """slices: how a slice of F becomes a row. ocpl: None for no_ocpl, whose second_exchange is R3 = R2 +
        MLP(LN(R2)). stride: s. classes: K. prior: O_S gains log sigmoid(L^) of its slices."""
        super().__init__()
        self.encoder = encoder
        self.presence = presence
        self.slices = slices
        self.slice_tokens = slice_tokens
        self.slice_attention = slice_attention
        self.mill = mill
        self.instance_tokens = instance_tokens
        self.instance_stack = instance_stack
        self.ocpl = ocpl
        self.second_exchange = second_exchange
        self.second_stack = second_stack
        self.semantic_map = semantic_map
        self.instance_map = instance_map
        self.decoder = decoder
        self.stride = stride
        self.classes = classes
        self.prior = prior

    def forward(self, image: Float[Tensor, "B 1 Z Y X"], labels: Integer[Tensor, "B Z Y X"] | None = None) -> Output:
        if labels is not None and not self.training:
            raise ValueError("labels in eval mode: inference takes the image alone")
        F, skips = self.encoder(image)
        with torch.autocast(F.device.type, enabled=False):
            core = self.interact(F.to(self.presence.linear.weight.dtype), labels)
        R_tilde, S_tilde = core.semantic_logits.sigmoid(), core.instance_logits.sigmoid()
        if core.teacher:
            S_tilde = torch.zeros_like(S_tilde)
        low = torch.cat([R_tilde.to(F.dtype), S_tilde.to(F.dtype), F], dim=1)
        spine, vertebrae, landmarks = self.decoder(low, skips)
        if self.prior:
            vertebrae = vertebrae + slice_prior(core.localisation_logits, slices=vertebrae.shape[2]).to(vertebrae.dtype)
        return Output(spine=spine, vertebrae=vertebrae, core=core, landmarks=landmarks)

    def interact(self, F: Float[Tensor, "B E z y x"], labels: Integer[Tensor, "B Z Y X"] | None) -> Core:
        """The two streams and both exchanges, batched over samples and classes."""
        C = self.presence(F)
        slices = self.slices(F)

        R1 = self.slice_tokens(slices)
        R2 = self.slice_attention(R1)

        truth = None if labels is None else occupied_slices(labels, stride=self.stride, classes=self.classes)
        L_hat = self.mill(R2)
        L = self.mill.localise(L_hat, C, truth=truth)
        present = L.any(dim=2)
        rows = L.to(R2.dtype)

        S1 = self.instance_tokens(slices, L)
        S2 = self.instance_stack(S1, rows @ R2, present)

        if self.ocpl is None:
            e = S2 * present[..., None]
            R3 = self.second_exchange(R2)
        else:
            e = self.ocpl.embed(S2, present)
            R_P = self.ocpl.placed(L)
            R3 = self.second_exchange(R2, R_P if truth is None else torch.zeros_like(R_P))
        S3 = self.second_stack(S2, rows @ R3, present)

        return Core(
            semantic_logits=self.semantic_map(R3, F),
            instance_logits=self.instance_map(S3, L, F),
            localisation_logits=12 * rows - 6 if L_hat is None else L_hat,
            localisation=L,
            presence_logits=C,
            embeddings=e,
            present=present,
            memory=None if self.ocpl is None else self.ocpl.memory,
            filled=None if self.ocpl is None else self.ocpl.filled,
            teacher=truth is not None,
        )

    def remember(self, output: Output, labels: Integer[Tensor, "B Z Y X"]) -> None:
        if self.ocpl is not None and output.core is not None:
            present = output.core.present & told_classes(labels, classes=self.classes)
            self.ocpl.remember(output.core.embeddings, present)

    def refresh_prototypes(self, seed: int) -> None:
        if self.ocpl is not None:
            self.ocpl.refresh(seed)


def slice_prior(L_hat: Float[Tensor, "B K z"], *, slices: int) -> Float[Tensor, "B K Z 1 1"]:
    """log sigmoid(L^), linear along z to `slices` slices: how unlikely a class is there. Nothing for background."""
    rows = functional.logsigmoid(L_hat[:, 1:])
    rows = functional.interpolate(rows, size=slices, mode="linear", align_corners=False)
    return functional.pad(rows, (0, 0, 1, 0))[..., None, None]
