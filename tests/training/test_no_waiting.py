"""A training step queues its work on a GPU and never waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from siil.losses.total import total_loss
from siil.model import recurrent
from siil.model.siil import Siil
from siil.training.ledger import Ledger
from siil.training.optimizer import make_optimizer
from tests.model.samples import fill_memory, make_batch, make_loss, make_network
from tests.training.doubles import make_settings

WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "unique_dim", "_unique2", "item"}
"""Operators whose result has to come back to the host before the next line can run."""


class Waits(TorchDispatchMode):
    """Collects the operators that would wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masks = name in ("index", "index_put", "index_put_") and any(
            isinstance(index, Tensor) and index.dtype == torch.bool for index in args[1] or ()
        )
        if name in WAITS or masks:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


def one_step(network: Siil, image: Tensor, labels: Tensor, *, teacher: bool) -> Ledger:
    """What siil.training.engine.fit does between two looks at the ledger."""
    optimizer = make_optimizer(network, make_settings())
    ledger = Ledger()
    output = network(image, labels if teacher else None)
    terms = total_loss(output, labels, loss=make_loss(), activation="softmax")
    terms["total"].backward()
    norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    network.remember(output)
    ledger.write(0, cases=("a",), terms=terms, norm=norm)
    return ledger


@contextmanager
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Without the shortcut that the GRU takes on CPUs, where asking for a length costs nothing."""
    monkeypatch.setattr(recurrent, "is_host", lambda device: False)
    yield


@pytest.mark.parametrize("teacher", [False, True])
@pytest.mark.parametrize("changes", [{}, {"slices": "pooled", "masks": "dot", "slice_prior": True}])
@pytest.mark.parametrize("encoder", ["pyramid", "resnet10"])
def test_nothing_in_a_step_comes_back_to_the_host(
    encoder: str, changes: dict[str, Any], teacher: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = make_network(encoder, **changes).float()
    fill_memory(network)
    image, labels = make_batch()
    image = image.float()
    with as_on_a_gpu(monkeypatch):
        one_step(network, image, labels, teacher=teacher)  # what is kept from the first step on may wait once
        with Waits() as waits:
            one_step(network, image, labels, teacher=teacher)
    assert waits.found == []


def test_the_collector_sees_what_would_wait() -> None:
    values = torch.arange(4.0)
    with Waits() as waits:
        float(values.sum())
        values[values > 1]
        values.nonzero()
    assert {"_local_scalar_dense", "index", "nonzero"} <= set(waits.found)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_step_on_a_gpu_does_not_synchronise() -> None:
    network = make_network().float().cuda()
    fill_memory(network)
    image, labels = (value.cuda() for value in make_batch())
    one_step(network, image.float(), labels, teacher=False)
    torch.cuda.set_sync_debug_mode("error")
    try:
        one_step(network, image.float(), labels, teacher=False)
    finally:
        torch.cuda.set_sync_debug_mode("default")
