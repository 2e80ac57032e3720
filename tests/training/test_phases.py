"""The phases with the real network in its smallest size (the loop's own tests use a stand-in)."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from siil import config as configuration
from siil.losses.total import total_loss
from siil.model.network import Network
from siil.training.checkpoint import Checkpoint
from siil.training.engine import fit
from siil.training.history import History
from siil.training.patches import Batches
from siil.training.schedule import Schedule
from siil.training.start import start_network
from tests.training.doubles import no_augment, spine_case

PATCH = (32, 32, 32)
CONFIG = configuration.resolve("tiny", model="siil")


def train(folder: Path, **changes: Any) -> tuple[dict[str, Tensor], Network, list[dict[str, Any]]]:
    """(state before, network after, history) of one epoch on two scans."""
    settings = CONFIG.train.model_copy(update={"epochs": 1, "weight_decay": 0.0, **changes})
    network = start_network(model=CONFIG.model, patch_vox=PATCH, spacing_mm=6.0, seed=0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    cases = {name: spine_case(name, first=first, count=6, shape=(32, 24, 24)) for name, first in (("a", 3), ("b", 8))}
    progress = fit(
        fabric=Fabric(accelerator="cpu", devices=1, precision=settings.precision),
        network=network,
        loss=partial(total_loss, loss=CONFIG.loss, activation="softmax"),
        batches=Batches(cases, ("a", "b"), settings, PATCH, spacing_mm=6.0, window_hu=(-500.0, 1300.0)),
        schedule=Schedule(settings, settings.steps_per_epoch or 1),
        checkpoint=Checkpoint(folder / "last.ckpt", "digest", 100),
        history=History(folder),
        validate=None,
    )
    return before, network, progress.history


def test_phase_1_trains_encoder_and_presence_and_leaves_the_memory_empty(tmp_path: Path) -> None:
    before, network, _ = train(tmp_path, steps_per_epoch=2, encoder_epochs=1.0, teacher_epochs=1.0)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) != name.startswith(("encoder.", "presence.")), name


def test_in_phase_2_every_parameter_changes_and_the_memory_fills(tmp_path: Path) -> None:
    """Trap 3. The norms of the queries from R_P are the exception: the leak guard keeps R_P at zero until phase 3."""
    before, network, _ = train(tmp_path, steps_per_epoch=4, encoder_epochs=0.25, teacher_epochs=1.0)
    same = {name for name, value in network.named_parameters() if torch.equal(value, before[name])}
    assert same == {f"second_exchange.cross.{number}.norm_queries.weight" for number in range(4)}
    assert network.ocpl.filled.any()  # type: ignore[union-attr]


def test_bf16_mixed_trains_the_core(tmp_path: Path) -> None:
    before, network, history = train(
        tmp_path, steps_per_epoch=2, precision="bf16-mixed", encoder_epochs=0.0, teacher_epochs=1.0
    )
    assert all(torch.isfinite(value).all() for value in network.parameters())
    assert history[0]["contrast"] >= 0
    assert not torch.equal(before["ocpl.memory"], network.ocpl.memory)  # type: ignore[union-attr]


@pytest.mark.slow
def test_two_scans_are_learnt_by_heart(tmp_path: Path) -> None:
    quiet = {"augment": no_augment(), "learning_rate": 0.005, "encoder_epochs": 0.0, "teacher_epochs": 0.2}
    _, _, short = train(tmp_path / "1", steps_per_epoch=5, **quiet)
    _, _, long = train(tmp_path / "2", steps_per_epoch=120, **quiet)
    assert long[0]["total"] < 0.8 * short[0]["total"]
