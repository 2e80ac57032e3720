"""MILL: the instance localisation matrix L, which slices each vertebra occupies (docs/method.md).

L^ are logits over the slice tokens R2; L is derived from them, or from the ground truth, without a gradient. All of it
is batched over samples and classes with boolean masks. Row 0, background, is all ones: a token of the attention in S.
"""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Integer
from torch import Tensor, nn
from torch.nn import functional

BACKGROUND_LOGIT = 6.0
"""Row 0 of L^, a constant: background is in every slice, and a learned row would never get a gradient."""


class Mill(nn.Module):
    """The head of L^ and the rules that turn it into L."""

    def __init__(
        self,
        *,
        embed: int,
        classes: int,
        slices: int,
        slice_mm: float,
        min_run_mm: float,
        max_run_mm: float,
        enabled: bool,
    ) -> None:
        """slices: z. slice_mm: height of a low-resolution slice. enabled: False for the ablation no_mill."""
        super().__init__()
        self.slices = slices
        self.slice_mm = slice_mm
        self.min_run_mm = min_run_mm
        self.max_run_mm = max_run_mm
        self.enabled = enabled
        if enabled:
            self.norm = nn.LayerNorm(embed)
            self.head = nn.Linear(embed, classes - 1)
            nn.init.constant_(self.head.bias, -2.0)

    def forward(self, R2: Float[Tensor, "B z E"]) -> Float[Tensor, "B K z"] | None:
        """L^; None for the ablation no_mill, which has no head."""
        if not self.enabled:
            return None
        rows = rearrange(self.head(self.norm(R2)), "b z k -> b k z")
        return functional.pad(rows, (0, 0, 1, 0), value=BACKGROUND_LOGIT)

    @torch.no_grad()
    def localise(
        self,
        logits: Float[Tensor, "B K z"] | None,
        presence_logits: Float[Tensor, "B J"],
        *,
        truth: Bool[Tensor, "B K z"] | None,
    ) -> Bool[Tensor, "B K z"]:
        """L from the ground truth where `truth` is given, else from the prediction.

        Args:
            logits: L^; None for the ablation no_mill, whose rows are all ones for the classes that are found.
            presence_logits: C; a class with sigma(C) < 0.5 is dropped from the prediction.
            truth: T, the slices that each class occupies (occupied_slices); no gate and no filter is applied to it.
        """
        found = functional.pad(presence_logits.sigmoid() >= 0.5, (1, 0), value=True)[..., None]
        if not self.enabled:
            rows = (found if truth is None else truth.any(dim=2, keepdim=True)).expand(-1, -1, self.slices)
        elif truth is not None:
            rows = widen(truth)
        else:
            assert logits is not None
            runs = longest_run(fill_gaps(logits.sigmoid()) > 0.5) & found
            rows = widen(runs & self.plausible(runs))
        background = torch.zeros_like(rows[:1, :, :1])
        background[:, 0] = True
        return rows | background

    def plausible(self, runs: Bool[Tensor, "B K z"]) -> Bool[Tensor, "B K 1"]:
        """Is a run no longer than max_run_mm, and no shorter than min_run_mm unless it is cut by the patch's end?"""
        height_mm = runs.sum(dim=2, keepdim=True) * self.slice_mm
        cut = runs[..., :1] | runs[..., -1:]
        return ((height_mm >= self.min_run_mm) | cut) & (height_mm <= self.max_run_mm)


def fill_gaps(probability: Float[Tensor, "B K z"]) -> Float[Tensor, "B K z"]:
    """Max-pool by 2 along z with stride 2, then nearest up-sampling: a gap of one slice between two is filled."""
    pooled = functional.max_pool1d(probability, kernel_size=2, stride=2, ceil_mode=True)
    return pooled.repeat_interleave(2, dim=2)[..., : probability.shape[2]]


def longest_run(rows: Bool[Tensor, "*rest z"]) -> Bool[Tensor, "*rest z"]:
    """The longest run of ones of each row, the first of equals; a row without ones stays empty."""
    count = rows.cumsum(dim=-1)
    length = count - torch.where(rows, 0, count).cummax(dim=-1).values
    place = torch.arange(rows.shape[-1], device=rows.device)
    # One key per slice, so that the maximum is unique: the longest run wins, of equals the one that ends first.
    end = (length * len(place) - place).argmax(dim=-1, keepdim=True)
    longest = length.gather(-1, end)
    return (place <= end) & (place > end - longest)


def widen(rows: Bool[Tensor, "*rest z"]) -> Bool[Tensor, "*rest z"]:
    """Each run one slice longer at both ends, clipped to the patch."""
    wide = rows.clone()
    wide[..., 1:] |= rows[..., :-1]
    wide[..., :-1] |= rows[..., 1:]
    return wide


def pooled_labels(
    labels: Integer[Tensor, "B Z Y X"], *, stride: int, classes: int
) -> tuple[Bool[Tensor, "B K z y x"], Bool[Tensor, "B z y x"]]:
    """The one-hot labels, max-pooled by `stride` (multi-label, and never one-hot at full resolution), and the cells
    that hold a voxel that nobody annotated."""
    cells = rearrange(labels.long(), "b (z p) (y q) (x r) -> b z y x (p q r)", p=stride, q=stride, r=stride)
    found = rearrange(_named(cells, classes), "b z y x k -> b k z y x")
    return found[:, :classes], found[:, classes]


def occupied_slices(labels: Integer[Tensor, "B Z Y X"], *, stride: int, classes: int) -> Bool[Tensor, "B K z"]:
    """T: does a low-resolution slice hold any voxel of a class? Max-pooled one-hot labels, reduced over y and x."""
    slabs = rearrange(labels.long(), "b (z p) y x -> b z (p y x)", p=stride)
    return rearrange(_named(slabs, classes)[..., :classes], "b z k -> b k z")


def told_classes(labels: Integer[Tensor, "B Z Y X"], *, classes: int) -> Bool[Tensor, "B K"]:
    """Which classes the labels say anything about, present or absent: all of them, or in a patch with voxels that are
    not annotated those that are labelled in it."""
    found = _named(labels.long().flatten(1), classes)
    return found[:, :classes] | ~found[:, classes:]


def _named(labels: Integer[Tensor, "*rest n"], classes: int) -> Bool[Tensor, "*rest k"]:
    """Which classes, and after them UNNAMED and UNLABELLED as one, are among n labels."""
    found = torch.zeros(*labels.shape[:-1], classes + 1, dtype=torch.bool, device=labels.device)
    return found.scatter_(-1, labels.clamp_max(classes), True)


def _ranks(L: Bool[Tensor, "B K z"]) -> tuple[Integer[Tensor, "B K z"], Integer[Tensor, "B K 1"]]:
    """Position of each slice among those of its instance (int64: int8 would overflow), and how many there are."""
    count = L.cumsum(dim=2)
    return count - 1, count[..., -1:]


def pooling_weights(L: Bool[Tensor, "B K z"], *, parts: int, dtype: torch.dtype) -> Float[Tensor, "B K o z"]:
    """Adaptive average pooling of each instance's slices to `parts`, as a matrix: part o is the mean of the slices
    floor(o n / parts) to ceil((o + 1) n / parts) of n. Rows of an absent instance are zero."""
    rank, count = (rearrange(value, "b k z -> b k 1 z") for value in _ranks(L))
    part = torch.arange(parts, device=L.device)[:, None]
    first = part * count // parts
    last = ((part + 1) * count + parts - 1) // parts
    inside = (rank >= first) & (rank < last) & L[:, :, None]
    return inside.to(dtype) / (last - first).clamp_min(1)


def writing_weights(L: Bool[Tensor, "B K z"], *, parts: int, dtype: torch.dtype) -> Float[Tensor, "B K z o"]:
    """Linear resampling of `parts` slices to the n slices of each instance, as a matrix; rows outside L are zero.

    Slice r of n lies at (r + 0.5) parts / n - 0.5, clamped to the first and last part (torch's linear interpolation).
    """
    rank, count = _ranks(L)
    place = (rank.to(dtype) + 0.5) * (parts / count.clamp_min(1).to(dtype)) - 0.5
    place = place.clamp(0, parts - 1)[..., None]
    part = torch.arange(parts, device=L.device, dtype=dtype)
    return (1 - (place - part).abs()).clamp_min(0) * L[..., None]
