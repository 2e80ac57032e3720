"""The total loss: every term under its name, weighted by the configuration (docs/method.md).

    Dice+CE(O_R) + DiceCE(O_S) + DiceCE(S~) + DiceCE(R~) + L_L + 20 L_C + 0.05 L_M

and, of a network with that head, Dice+CE of the landmarks (not in the paper).

A term is a mean per sample, then over samples, so that a batch equals its samples. A weight of 0 leaves its term out
altogether: it is not computed and has exactly no effect.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Integer
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from siil.anatomy import UNLABELLED
from siil.config.schema.model import Loss
from siil.losses.contrastive import contrast
from siil.losses.landmarks import landmarks, without_landmarks
from siil.losses.localisation import localisation
from siil.losses.presence import presence
from siil.losses.segmentation import binary, classes_sigmoid, classes_softmax, instances, precise
from siil.model.mill import pooled_labels, told_classes
from siil.model.output import Core, Output

Terms = dict[str, Callable[[], Tensor]]


def total_loss(output: Output, labels: Integer[Tensor, "B Z Y X"], *, loss: Loss, activation: str) -> dict[str, Tensor]:
    """Named terms, unweighted, and "total", their weighted sum. Scalars.

    Args:
        output: of the network; a baseline has the terms spine and vertebrae alone.
        labels: internal indices, any integer type; landmarks among them are background to every term but their own. A
            voxel that nobody annotated (UNLABELLED) has no effect on any term; of its low-resolution cell, slice and
            patch only the classes that other labels name are then known. Spine without a name (UNNAMED) is the same to
            all terms but O_R's.
        loss: weights and temperature.
        activation: softmax or sigmoid, of O_S.
    """
    with torch.autocast(labels.device.type, enabled=False):
        labels = labels.long()
        marked, labels = labels, without_landmarks(labels)
        possible = _answer_terms(output, labels, activation)
        if output.landmarks is not None:
            logits = precise(output.landmarks)
            possible["landmarks"] = lambda: landmarks(logits, marked)
        if output.core is not None:
            possible |= _core_terms(output.core, labels, loss)
        weights: dict[str, float] = {name: getattr(loss, name) for name in possible}
        terms = {name: term().mean() for name, term in possible.items() if weights[name] > 0}
        total = sum((weights[name] * value for name, value in terms.items()), start=_zero(output))
    return terms | {"total": total}


def _answer_terms(output: Output, labels: Integer[Tensor, "B Z Y X"], activation: str) -> Terms:
    classes = {"softmax": classes_softmax, "sigmoid": _anew(classes_sigmoid)}[activation]
    samples = zip(output.vertebrae.split(1), labels.split(1), strict=True)
    return {
        "spine": lambda: binary(precise(output.spine[:, 0]), labels > 0, labels != UNLABELLED),
        "vertebrae": lambda: torch.cat([classes(*one) for one in samples]),
    }


def _core_terms(core: Core, labels: Integer[Tensor, "B Z Y X"], loss: Loss) -> Terms:
    classes, slices = core.localisation.shape[1:]
    target, unlabelled = pooled_labels(labels, stride=labels.shape[1] // slices, classes=classes)
    occupied, spine = target.any((3, 4)), target[:, 1:].any(1)
    told = told_classes(labels, classes=classes)
    terms: Terms = {
        "instance": lambda: instances(core.instance_logits, target, unlabelled),
        "semantic": lambda: binary(core.semantic_logits[:, 0], spine, spine | ~unlabelled),
        "localisation": lambda: localisation(
            core.localisation_logits, occupied, unlabelled.any((2, 3)), entropy_weight=loss.localisation_entropy
        ),
        "presence": lambda: presence(core.presence_logits, occupied[:, 1:].any(2), told[:, 1:]),
    }
    memory, filled = core.memory, core.filled
    if memory is not None and filled is not None:
        terms["contrast"] = lambda: contrast(
            core.embeddings, core.present, memory, filled, told, temperature=loss.temperature
        )
    return terms


def _anew(term: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """A term that is computed again for its gradient: to keep its K channels in float32, several times over, would take
    a sixth of a step's memory."""

    def of_one(logits: Tensor, labels: Tensor) -> Tensor:
        return term(precise(logits), labels)

    return partial(checkpoint, of_one, use_reentrant=False, preserve_rng_state=False)


def _zero(output: Output) -> Tensor:
    return output.spine.new_zeros((), dtype=torch.promote_types(output.spine.dtype, torch.float32))
