import logging
import pickle
import resource
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from siil.training.checkpoint import Checkpoint, Progress
from tests.training.doubles import TinyNetwork


@pytest.fixture
def parts():
    network = TinyNetwork()
    optimizer = torch.optim.AdamW(network.parameters())
    return {"fabric": Fabric(accelerator="cpu", devices=1), "network": network, "optimizer": optimizer, "mean": None}


def test_the_file_holds_tensors_and_plain_values_only(tmp_path: Path, parts) -> None:
    checkpoint = Checkpoint(tmp_path / "last.ckpt", "d", 10)
    progress = Progress(step=4, history=[{"epoch": 1, "total": 0.5}], sums={"total": 1.0}, best_score=0.25)
    progress.best_weights = {"a": torch.ones(2)}
    checkpoint.save(progress, **parts)
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert state["progress"]["step"] == 4
    resumed = checkpoint.resume(**parts)
    assert (resumed.step, resumed.history, resumed.sums) == (4, progress.history, progress.sums)
    assert torch.equal(resumed.best_weights["a"], torch.ones(2))
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


@pytest.mark.parametrize("room", [0, 3_000_000])
def test_where_there_is_no_room_the_systems_error_comes_through(tmp_path: Path, parts, room: int) -> None:
    checkpoint = Checkpoint(tmp_path / "last.ckpt", "d", 10)
    checkpoint.save(Progress(step=4), **parts)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            checkpoint.save(Progress(best_weights={name: torch.ones(500_000) for name in "ab"}), **parts)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert checkpoint.resume(**parts).step == 4  # the file before is kept
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_the_generators_go_on_where_they_were(tmp_path: Path, parts) -> None:
    checkpoint = Checkpoint(tmp_path / "last.ckpt", "d", 10)
    checkpoint.save(Progress(), **parts)
    expected = torch.rand(3)
    torch.manual_seed(123)
    checkpoint.resume(**parts)
    assert torch.equal(torch.rand(3), expected)


def test_without_a_file_training_starts_from_nothing(tmp_path: Path, parts) -> None:
    assert Checkpoint(tmp_path / "last.ckpt", "d", 10).resume(**parts).step == 0


def test_a_file_of_another_configuration_is_set_aside(tmp_path: Path, parts, caplog) -> None:
    path = tmp_path / "last.ckpt"
    for digest in ("old", "older"):
        Checkpoint(path, digest, 10).save(Progress(step=4), **parts)
        with caplog.at_level(logging.WARNING):
            assert Checkpoint(path, "new", 10).resume(**parts).step == 0
    assert sorted(item.name for item in tmp_path.iterdir()) == ["last.ckpt.stale-1", "last.ckpt.stale-2"]
    assert "another configuration" in caplog.text


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps({"format": 1, "digest": "d", "network": Path("evil")}))


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("not a checkpoint")


def _other(path: Path) -> None:
    torch.save([1, 2], path)


@pytest.mark.parametrize("damage", [_truncated, _pickle, _empty, _text, _other])
def test_a_file_that_cannot_be_read_is_set_aside(tmp_path: Path, parts, caplog, damage) -> None:
    path = tmp_path / "last.ckpt"
    checkpoint = Checkpoint(path, "d", 10)
    checkpoint.save(Progress(step=4), **parts)
    damage(path)
    with caplog.at_level(logging.WARNING):
        assert checkpoint.resume(**parts).step == 0
    assert not path.exists()
    assert path.with_name("last.ckpt.stale-1").exists()
    assert "cannot be read" in caplog.text


def test_a_pickle_is_never_executed(tmp_path: Path, parts) -> None:
    marker = tmp_path / "executed"

    class Evil:
        def __reduce__(self):
            return (Path.touch, (marker,))

    torch.save({"format": 1, "digest": "d", "evil": Evil()}, tmp_path / "last.ckpt")
    assert Checkpoint(tmp_path / "last.ckpt", "d", 10).resume(**parts).step == 0
    assert not marker.exists()


def test_the_file_is_due_every_so_many_steps() -> None:
    checkpoint = Checkpoint(Path("x"), "d", 3)
    assert [done for done in range(1, 10) if checkpoint.due(done)] == [3, 6, 9]
