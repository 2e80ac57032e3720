"""The second look in the training loop of siil/training/engine.py: its network, its batches, its schedule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from siil.config import Config
from siil.config.schema.refine import Refine
from siil.config.schema.training import Train
from siil.errors import WeightsError
from siil.inference.device import usable_precision
from siil.losses.second_look import second_look_loss
from siil.model.network import Network
from siil.model.second_look import SecondLook
from siil.model.weights import load_second_look
from siil.training.checkpoint import Checkpoint, Progress
from siil.training.crop_batches import CropBatches, Place
from siil.training.crop_validation import CropValidator
from siil.training.engine import fit
from siil.training.fabric import Fabric
from siil.training.history import History
from siil.training.schedule import Schedule
from siil.training.seed import Stream, integer


class Learner(Network):
    """A second look as the training loop knows a network: it has no memory, and labels tell it nothing."""

    def __init__(self, second_look: SecondLook) -> None:
        super().__init__()
        self.second_look = second_look

    def forward(self, image: Tensor, labels: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """Logits [B, 3, Z, Y, X] of `image` [B, 3, Z, Y, X]."""
        return self.second_look(image)

    def remember(self, output: object, labels: Tensor) -> None:
        """It has no memory."""


def learn(
    config: Config,
    *,
    fabric: Fabric,
    training: tuple[Place, ...],
    validation: tuple[Place, ...],
    output: Path,
    digest: str,
) -> tuple[SecondLook, Progress]:
    """Train a second look on lessons; the one of the best epoch, and what was reached.

    Goes on from OUTPUT/last.ckpt where that is of the same `digest`. Raises TrainingError as `fit` does.
    """
    refine, settings = config.refine, training_settings(config)
    torch.manual_seed(integer(settings.seed, Stream.WEIGHTS))
    learner = Learner(_start(refine))
    validator = CropValidator(
        spread(validation, refine.validate_crops),
        refine,
        fabric.device,
        usable_precision(settings.precision, fabric.device.type),
    )
    progress = fit(
        fabric=fabric,
        network=learner,
        loss=second_look_loss,
        batches=CropBatches(
            training, refine, settings.seed, refine.shares, rank=fabric.global_rank, world=fabric.world_size
        ),
        schedule=Schedule(settings, refine.steps_per_epoch),
        checkpoint=Checkpoint(output / "last.ckpt", digest, settings.checkpoint_every_steps),
        history=History(output if fabric.is_global_zero else None),
        validate=validator if validation else None,
    )
    if progress.best_weights:
        learner.load_state_dict(progress.best_weights)
    return learner.second_look.eval(), progress


def _start(refine: Refine) -> SecondLook:
    """A second look from torch's generator, or given weights. Raises WeightsError where these have other widths."""
    if refine.init_weights is None:
        return SecondLook(refine.widths)
    path = Path(refine.init_weights)
    network, about = load_second_look(path)
    if about.widths != refine.widths:
        raise WeightsError(
            f"refine.init_weights {path}: widths {list(about.widths)} there and {list(refine.widths)} here; set "
            "refine.widths to what the weights have"
        )
    return network.train()


def training_settings(config: Config) -> Train:
    """`train` with what `refine` says in its place: one round, no phases, a cosine."""
    refine = config.refine
    changed: Mapping[str, object] = {
        "rounds": (),
        "epochs": refine.epochs,
        "steps_per_epoch": refine.steps_per_epoch,
        "shares": {},
        "batch_size": refine.batch_size,
        "encoder_epochs": 0,
        "teacher_epochs": 0,
        "learning_rate": refine.learning_rate,
        "weight_decay": refine.weight_decay,
        "schedule": "cosine",
        "average": refine.average,
        "validate_every_epochs": 1,
        "patience": None,
    }
    return config.train.model_copy(update=dict(changed))


def spread(places: tuple[Place, ...], most: int) -> tuple[Place, ...]:
    """At most `most` of them, evenly over the list."""
    if len(places) <= most:
        return places
    return tuple(places[number * len(places) // most] for number in range(most))
