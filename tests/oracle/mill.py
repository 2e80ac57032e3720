"""MILL: L from the ground truth or from the prediction, in plain Python (docs/method.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float, Integer
from torch import Tensor

from tests.oracle.blocks import Vector

Rows = list[list[bool]]
"""[K][z]: does slice i belong to class j?"""


@dataclass(frozen=True)
class Heights:
    """slice_mm: of a low-resolution slice. Runs outside the limits are dropped."""

    slice_mm: float
    min_mm: float = 15
    max_mm: float = 95


def occupied(labels: Integer[Tensor, "Z Y X"], *, stride: int, classes: int) -> Rows:
    """T: the low-resolution slices that hold a voxel of a class."""
    slices = len(labels) // stride
    return [[bool((labels[i * stride : (i + 1) * stride] == j).any()) for i in range(slices)] for j in range(classes)]


def from_truth(truth: Rows) -> Rows:
    """The target rows, widened; background everywhere."""
    return [[True] * len(truth[0])] + [_widened(row) for row in truth[1:]]


def from_prediction(L_hat: Float[Tensor, "K z"], C: Vector, heights: Heights) -> Rows:
    """The longest plausible run of each class that C finds, widened; background everywhere."""
    L = [[True] * L_hat.shape[1]]
    for logits, found in zip(L_hat[1:].tolist(), C.tolist(), strict=True):
        L.append(_predicted_row(logits, found, heights))
    return L


def _predicted_row(logits: list[float], found: float, heights: Heights) -> list[bool]:
    slices = len(logits)
    likely = [max(_sigmoid(value) for value in logits[i - i % 2 : i - i % 2 + 2]) > 0.5 for i in range(slices)]
    first, length = _longest_run(likely)
    empty = [False] * slices
    if length == 0 or _sigmoid(found) < 0.5:
        return empty
    cut = first == 0 or first + length == slices
    height_mm = length * heights.slice_mm
    if height_mm > heights.max_mm or (height_mm < heights.min_mm and not cut):
        return empty
    return _widened([first <= i < first + length for i in range(slices)])


def _longest_run(row: list[bool]) -> tuple[int, int]:
    """First slice and length; the first of equals."""
    best = (0, 0)
    for first in range(len(row)):
        length = 0
        while first + length < len(row) and row[first + length]:
            length += 1
        if length > best[1]:
            best = (first, length)
    return best


def _widened(row: list[bool]) -> list[bool]:
    """A slice more at both ends of every run, inside the patch."""
    return [any(row[max(i - 1, 0) : i + 2]) for i in range(len(row))]


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))
