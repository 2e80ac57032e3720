"""A training step queues its work on a GPU and never waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from siil.anatomy import UNLABELLED
from siil.losses.total import total_loss
from siil.model import recurrent
from siil.model.siil import Siil
from siil.training.checkpoint import Checkpoint
from siil.training.engine import fit
from siil.training.history import History
from siil.training.ledger import Ledger
from siil.training.optimizer import make_optimizer
from siil.training.patches import Batch, Batches
from siil.training.schedule import Schedule
from tests.model.samples import PATCH, SPACING_MM, fill_memory, make_batch, make_loss, make_network
from tests.training.doubles import make_batches, make_settings

WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "unique_dim", "_unique2", "item"}
"""Operators whose result has to come back to the host before the next line can run."""
READS = {"cpu", "numpy", "tolist"}
"""Methods that copy to the host, which for a tensor that lies there already dispatches no operator."""
ADDITIONS = {"slices": "pooled", "masks": "dot", "slice_prior": True}
"""The default network's deviations from the paper."""


class Reads(TorchFunctionMode):
    """Collects the methods that would copy from a GPU."""

    def __init__(self, found: list[str]) -> None:
        super().__init__()
        self.found = found

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in READS:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


class Waits(TorchDispatchMode):
    """Collects the operators and methods that would wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.reads = Reads(self.found)

    def __enter__(self) -> Self:
        self.reads.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        super().__exit__(*raised)
        self.reads.__exit__(*raised)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masks = name in ("index", "index_put", "index_put_") and any(
            isinstance(index, Tensor) and index.dtype == torch.bool for index in args[1] or ()
        )
        if name in WAITS or masks:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def one_step(network: Siil, image: Tensor, labels: Tensor, *, teacher: bool) -> Ledger:
    """What siil.training.engine.fit does between two looks at the ledger, without Fabric and for any device."""
    optimizer = make_optimizer(network, make_settings())
    ledger = Ledger()
    output = network(image, labels if teacher else None)
    terms = total_loss(output, labels, loss=make_loss(), activation="softmax")
    terms["total"].backward()
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    network.remember(output, labels)
    ledger.write(0, cases=("a",), terms=terms, norm=norm)
    return ledger


@contextmanager
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the shortcut that the GRU takes on CPUs, where asking for a length costs nothing."""
    monkeypatch.setattr(recurrent, "is_host", lambda device: False)
    yield


@pytest.mark.parametrize("teacher", [False, True])
@pytest.mark.parametrize("changes", [{}, ADDITIONS])
@pytest.mark.parametrize("encoder", ["pyramid", "resnet10"])
def test_nothing_in_a_step_comes_back_to_the_host(
    encoder: str, changes: dict[str, Any], teacher: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make_network(encoder, **changes).float()
    fill_memory(network)
    image, labels = make_batch()
    image = image.float()
    labels[:, :9] = UNLABELLED
    with as_on_a_gpu(monkeypatch):
        one_step(network, image, labels, teacher=teacher)  # what is kept from the first step on may wait once
        with Waits() as waits:
            one_step(network, image, labels, teacher=teacher)
    assert waits.found == []


@dataclass(frozen=True)
class Watched(Batches):
    """Batches that note what the collector found in each step of the loop over them."""

    waits: Waits = field(default_factory=Waits)
    found: dict[int, list[str]] = field(default_factory=dict)

    def stream(self, start: int, stop: int, *, ahead: int = 2) -> Iterator[tuple[int, Batch]]:
        for step, batch in super().stream(start, stop, ahead=ahead):
            before = len(self.waits.found)
            yield step, batch
            self.found[step] = self.waits.found[before:]


@pytest.mark.parametrize(("encoder", "changes"), [("pyramid", ADDITIONS), ("resnet10", {})])
def test_the_training_loop_reads_back_at_an_epochs_ends_alone(
    encoder: str, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(  # an epoch per phase
        steps_per_epoch=3, encoder_epochs=1, teacher_epochs=2, checkpoint_every_steps=10**9
    )
    place = {"settings": settings, "patch_vox": PATCH, "spacing_mm": SPACING_MM[encoder]}
    batches = Watched(**vars(make_batches()) | place)
    network = make_network(encoder, **changes).float()
    fill_memory(network)
    schedule = Schedule(settings, 3)
    with as_on_a_gpu(monkeypatch), batches.waits:
        fit(
            fabric=Fabric(accelerator="cpu", devices=1, precision=settings.precision),
            network=network,
            loss=partial(total_loss, loss=make_loss(), activation="softmax"),
            batches=batches,
            schedule=schedule,
            checkpoint=Checkpoint(tmp_path / "last.ckpt", "", settings.checkpoint_every_steps),
            history=History(None),
            validate=None,
        )
    assert [batches.found[step] for step in (1, 4, 7)] == [[], [], []]
    assert "numpy" in batches.found[3], "the prototypes' k-means"
    assert "tolist" in batches.found[5], "the ledger"


def test_the_collector_sees_what_would_wait() -> None:
    values = torch.arange(4.0)
    with Waits() as waits:
        float(values.sum())
        values[values > 1]
        values.nonzero()
        values.tolist()
        values.cpu().numpy()
    assert {"_local_scalar_dense", "index", "nonzero", "tolist", "cpu", "numpy"} <= set(waits.found)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("teacher", [False, True])
@pytest.mark.parametrize("changes", [{}, ADDITIONS])
@pytest.mark.parametrize("encoder", ["pyramid", "resnet10"])
def test_a_step_on_a_gpu_does_not_synchronise(encoder: str, changes: dict[str, Any], teacher: bool) -> None:
    network = make_network(encoder, **changes).float().cuda()
    fill_memory(network)
    image, labels = make_batch()
    image, labels = image.float().cuda(), labels.cuda()
    one_step(network, image, labels, teacher=teacher)
    torch.cuda.set_sync_debug_mode("error")
    try:
        one_step(network, image, labels, teacher=teacher)
    finally:
        torch.cuda.set_sync_debug_mode("default")
