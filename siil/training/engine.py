"""The training loop: one function on one screen, over Lightning Fabric (devices, precision, processes).

A step's batch, learning rate and phase are functions of its number alone (patches.py, schedule.py), and last.ckpt holds
everything else, so an interrupted training ends exactly like an uninterrupted one (on CPUs to the bit; on a GPU the
order of some sums is not fixed). The best weights are chosen by `validate` on validation cases, never on the test set.
A step queues work and reads nothing back: what it found out waits in a Ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from siil.config.schema.training import Train
from siil.losses.landmarks import without_landmarks
from siil.run.progress import track
from siil.training.checkpoint import Checkpoint, Progress
from siil.training.fabric import Fabric
from siil.training.history import History
from siil.training.ledger import LOOK_EVERY, Ledger
from siil.training.optimizer import make_optimizer, set_learning_rate
from siil.training.patches import Batches
from siil.training.schedule import Phase, Schedule
from siil.training.seed import Stream, integer

if TYPE_CHECKING:
    from siil.model.network import Network
    from siil.training.crop_batches import CropBatches

WARM_UP: Final = ("encoder.", "presence.")
"""Names of EN's and C's parameters in the network."""
Loss = Callable[[Any, Tensor], dict[str, Tensor]]
"""(output of the network, labels [B, Z, Y, X]) -> named terms with "total"."""
Validate = Callable[["Network"], dict[str, float]]
"""network in eval mode -> scores with "dice", the one that chooses the best epoch."""


class Objective(nn.Module):
    """Network and losses as one module that returns the named terms, which is what Fabric (and DDP) wraps.

    Fabric rebuilds whatever a wrapped module returns and cannot rebuild frozen dataclasses; a dict of scalars it can.
    `output` keeps the network's output until the memory was written.
    """

    def __init__(self, network: Network, loss: Loss) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.output: Any = None

    def forward(self, image: Tensor, labels: Tensor, *, teacher: bool) -> dict[str, Tensor]:
        """image [B, 1, Z, Y, X], labels [B, Z, Y, X] -> named terms; with `teacher` L comes from the labels."""
        self.output = self.network(image, without_landmarks(labels) if teacher else None)
        return self.loss(self.output, labels)


def fit(
    *,
    fabric: Fabric,
    network: Network,
    loss: Loss,
    batches: Batches | CropBatches,
    schedule: Schedule,
    checkpoint: Checkpoint,
    history: History,
    validate: Validate | None,
) -> Progress:
    """Train `network` in place, from last.ckpt where it left off. Returns what was reached; `best_weights` in it.

    Raises TrainingError when a loss or a gradient is not finite.
    """
    settings = schedule.settings
    objective = Objective(network, loss)
    adamw = make_optimizer(network, settings)
    model, optimizer = fabric.setup(objective, adamw)
    mean = average(network, settings)
    progress = checkpoint.resume(fabric=fabric, network=network, optimizer=adamw, mean=mean)
    history.start(progress.history)
    ledger = Ledger()
    stop = progress.step if progress.stopped else schedule.steps
    steps = batches.stream(progress.step, stop)
    for step, batch in track(steps, description="train", total=schedule.steps, start=progress.step):
        phase = schedule.phase(step)
        if schedule.starts_epoch(step):
            network.refresh_prototypes(integer(settings.seed, Stream.PROTOTYPES, step))
        set_learning_rate(adamw, schedule.learning_rate(step))
        image, labels = fabric.to_device((batch.image, batch.labels))
        terms = model(image, labels, teacher=phase.teacher)
        fabric.backward(terms["total"])
        if phase is Phase.ENCODER:
            keep_encoder_gradients(network)
        norm = clip(fabric, model, optimizer, settings)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if phase is not Phase.ENCODER:
            network.remember(objective.output, without_landmarks(labels))
        if mean is not None:
            mean.update_parameters(network)
        ledger.write(step, cases=batch.cases, terms=terms, norm=norm)
        progress.advance()
        ends, saves = schedule.ends_epoch(progress.step), checkpoint.due(progress.step)
        if ends or saves or progress.step % LOOK_EVERY == 0:
            progress.add(ledger.read())
        if ends:
            add_losses(progress, fabric=fabric, schedule=schedule, history=history)
            if validate is not None and schedule.validates(progress.step):
                judge(progress, network=answering(network, mean), schedule=schedule, history=history, validate=validate)
        if ends or saves:
            checkpoint.save(progress, fabric=fabric, network=network, optimizer=adamw, mean=mean)
        if progress.stopped:
            break
    history.close()
    if mean is not None:
        network.load_state_dict(mean.module.state_dict())
    return progress


def answering(network: Network, mean: AveragedModel | None) -> Network:
    """The network that counts: the one in training, or its running mean."""
    return network if mean is None else cast("Network", mean.module)


def average(network: nn.Module, settings: Train) -> AveragedModel | None:
    """The running mean of the weights (Polyak and Juditsky, 1992) where one is asked for, with the last buffers."""
    if not settings.average:
        return None
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(settings.average))


def add_losses(progress: Progress, *, fabric: Fabric, schedule: Schedule, history: History) -> None:
    """Close an epoch: its mean losses, over all processes, become a row of the history."""
    means = torch.tensor(list(progress.sums.values())) / schedule.steps_per_epoch
    shared = fabric.all_reduce(fabric.to_device(means), reduce_op="mean")
    assert isinstance(shared, Tensor)
    values = dict(zip(progress.sums, shared.tolist(), strict=True))
    progress.sums = {}
    progress.history.append(row("train", progress=progress, schedule=schedule, values=values))
    history.add(progress.history)


def judge(progress: Progress, *, network: Network, schedule: Schedule, history: History, validate: Validate) -> None:
    """Validate; the scores become a row of the history, and the weights are kept unless earlier ones of the last round
    were better."""
    scores = validate(network)
    progress.history.append(row("validation", progress=progress, schedule=schedule, values=scores))
    history.add(progress.history)
    if not schedule.decides(progress.step):
        return
    progress.judge(scores["dice"], network=network, epoch=progress.history[-1]["epoch"])
    patience = schedule.settings.patience
    progress.stopped = patience is not None and progress.unimproved >= patience


def row(phase: str, *, progress: Progress, schedule: Schedule, values: dict[str, float]) -> dict[str, Any]:
    """A row of the history for where the training stands, as plain values (they go into the resume file)."""
    return {
        "epoch": progress.step // schedule.steps_per_epoch,
        "step": progress.step,
        "phase": phase,
        "lr": schedule.learning_rate(progress.step - 1),
        "seconds": round(progress.tick(), 1),
        **values,
    }


def clip(fabric: Fabric, model: nn.Module, optimizer: torch.optim.Optimizer, settings: Train) -> Tensor | None:
    """Clip the gradient where that is asked for, and return its norm before clipping, on the device.

    None in 16-mixed: there steps with an infinite norm belong to the method, the loss scaler skips them.
    """
    if settings.clip_norm is None:
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        norm: Tensor | None = nn.utils.get_total_norm(gradients)
    else:
        norm = fabric.clip_gradients(model, optimizer, max_norm=settings.clip_norm, error_if_nonfinite=False)
    return None if settings.precision == "16-mixed" else norm


def keep_encoder_gradients(network: nn.Module) -> None:
    """Phase 1: only EN and C are updated; a network without them (a baseline) has no such phase.

    The other gradients are dropped after they were computed (and, with several processes, exchanged), instead of
    switching `requires_grad`. Dropped rather than set to zero: AdamW skips these parameters altogether, so they
    neither decay nor count steps, which would give their first real updates a wrong size (half after 10 steps of
    phase 1, three times after thousands).
    """
    if not any(name.startswith(WARM_UP) for name, _ in network.named_parameters()):
        return
    for name, parameter in network.named_parameters():
        if not name.startswith(WARM_UP):
            parameter.grad = None
