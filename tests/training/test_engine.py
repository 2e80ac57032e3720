import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from siil.errors import TrainingError
from siil.training.checkpoint import Checkpoint, Progress
from siil.training.engine import average, fit
from siil.training.history import COLUMNS, History
from siil.training.patches import Batches
from siil.training.schedule import Schedule
from tests.training.doubles import TinyNetwork, make_batches, no_augment, spine_case, tiny_loss


def train(folder: Path, *, batches: Batches | None = None, network: TinyNetwork | None = None, **options: Any):
    """A whole training with the stand-ins. Returns (network, progress)."""
    network = network or TinyNetwork()
    batches = batches or make_batches()
    settings = batches.settings
    scores = {"dice": 0.5, "binary_dice": 0.5, "id_rate": 0.5}
    defaults: dict[str, Any] = {
        "fabric": Fabric(accelerator="cpu", devices=1, precision=settings.precision),
        "loss": tiny_loss,
        "schedule": Schedule(settings, settings.steps_per_epoch or 1),
        "checkpoint": Checkpoint(folder / "last.ckpt", "digest", settings.checkpoint_every_steps),
        "history": History(folder),
        "validate": lambda network: scores,
    }
    progress = fit(network=network, batches=batches, **(defaults | options))
    return network, progress


class KilledError(Exception):
    """Stands for the end of the process."""


class KilledAt(Batches):
    """Batches until the process dies before step 7."""

    step = 7

    def draw(self, step: int):
        if step == self.step:
            raise KilledError
        return super().draw(step)


def without_seconds(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "history.tsv", sep="\t").drop(columns="seconds")


@pytest.mark.parametrize("step", [3, 5, 8, 11])
def test_a_resumed_training_ends_like_an_uninterrupted_one(tmp_path: Path, step: int) -> None:
    whole, _ = train(tmp_path / "whole")
    killed = type("Killed", (KilledAt,), {"step": step})(**vars(make_batches()))
    with pytest.raises(KilledError):
        train(tmp_path / "killed", batches=killed)
    (tmp_path / "killed" / "history.tsv").unlink(missing_ok=True)  # the workflow deletes declared outputs
    torch.manual_seed(99)
    resumed, progress = train(tmp_path / "killed", network=TinyNetwork(seed=5))
    assert progress.step == 12
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    pd.testing.assert_frame_equal(without_seconds(tmp_path / "whole"), without_seconds(tmp_path / "killed"))


def test_a_training_killed_before_its_first_checkpoint_starts_again(tmp_path: Path) -> None:
    whole, _ = train(tmp_path / "whole")
    with pytest.raises(KilledError):
        train(tmp_path / "killed", batches=type("Killed", (KilledAt,), {"step": 1})(**vars(make_batches())))
    again, _ = train(tmp_path / "killed")
    assert torch.equal(whole.decoder.weight, again.decoder.weight)


def test_two_trainings_are_equal_and_another_seed_is_not(tmp_path: Path) -> None:
    one, _ = train(tmp_path / "1")
    two, _ = train(tmp_path / "2")
    other, _ = train(tmp_path / "3", batches=make_batches(seed=4))
    assert torch.equal(one.decoder.weight, two.decoder.weight)
    assert not torch.equal(one.decoder.weight, other.decoder.weight)


def test_a_finished_training_is_not_trained_again(tmp_path: Path) -> None:
    first, _ = train(tmp_path)
    (tmp_path / "history.tsv").unlink()
    again, progress = train(tmp_path, network=TinyNetwork(seed=5))
    assert again.teachers == []
    assert progress.step == 12
    assert torch.equal(first.decoder.weight, again.decoder.weight)
    assert len(without_seconds(tmp_path)) == 6


def snapshots(folder: Path, *, stop: int, **changes: Any) -> tuple[dict[str, Tensor], TinyNetwork]:
    network = TinyNetwork()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    cut = type("Cut", (KilledAt,), {"step": stop})(**vars(make_batches(**changes)))
    with pytest.raises(KilledError):
        train(folder, batches=cut, network=network)
    return before, network


def test_phase_1_changes_encoder_and_presence_alone_and_leaves_the_memory(tmp_path: Path) -> None:
    before, network = snapshots(tmp_path, stop=6, encoder_epochs=2)
    for name, value in network.state_dict().items():
        changed = not torch.equal(value, before[name])
        assert changed == name.startswith(("encoder.", "presence.")), name
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_in_phase_2_every_parameter_changes_and_the_memory_is_written(tmp_path: Path) -> None:
    """Trap 3: freezing for the warm-up and never unfreezing."""
    before, network = snapshots(tmp_path, stop=3, encoder_epochs=0.25, teacher_epochs=3)
    for name, value in network.state_dict().items():
        assert name == "prototypes" or not torch.equal(value, before[name]), name


def test_the_first_update_after_phase_1_is_as_large_as_the_learning_rate(tmp_path: Path) -> None:
    """Had AdamW counted 10 steps with gradients of zero: 0.1 / (1 - 0.9^11) / sqrt(0.001 / (1 - 0.999^11)) = 0.48."""
    changes = {"encoder_epochs": 2.5, "learning_rate": 0.01, "weight_decay": 0.0, "schedule": "step"}
    before, network = snapshots(tmp_path, stop=11, **changes)
    step = float((network.decoder.weight.detach() - before["decoder.weight"]).abs().max())
    assert step == pytest.approx(0.01, rel=1e-3)


def test_labels_reach_the_network_until_the_teacher_leaves(tmp_path: Path) -> None:
    network, _ = train(tmp_path, batches=make_batches(encoder_epochs=0.5, teacher_epochs=1.5))
    assert network.teachers == [True] * 6 + [False] * 6


def test_prototypes_are_refreshed_at_the_start_of_every_epoch_with_seeds_of_their_own(tmp_path: Path) -> None:
    network, _ = train(tmp_path)
    assert len(set(network.refreshes)) == len(network.refreshes) == 3


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_and_names_term_and_cases(tmp_path: Path, value: float) -> None:
    def loss(output: Any, labels: Tensor) -> dict[str, Tensor]:
        terms = tiny_loss(output, labels)
        broken = terms["presence"] * value
        return {**terms, "presence": broken, "total": terms["vertebrae"] + broken}

    batches = make_batches()
    cases = ", ".join(batches.draw(0).cases)
    with pytest.raises(TrainingError, match=rf"step 0: loss presence is not finite \(cases {cases}\)"):
        train(tmp_path, batches=batches, loss=loss)
    assert not (tmp_path / "last.ckpt").exists()


@pytest.mark.parametrize("clip_norm", [5, None])
def test_a_gradient_that_is_not_finite_stops_and_names_the_cases(tmp_path: Path, clip_norm: float | None) -> None:
    def loss(output: Any, labels: Tensor) -> dict[str, Tensor]:
        total = tiny_loss(output, labels)["total"]
        return {"total": total + (output.vertebrae.sum() * 0).abs().sqrt()}  # finite, its gradient is not

    with pytest.raises(TrainingError, match="step 0: the gradient is not finite"):
        train(tmp_path, loss=loss, batches=make_batches(clip_norm=clip_norm))


def test_gradients_are_clipped(tmp_path: Path) -> None:
    norms = []

    class Fabric2(Fabric):
        def clip_gradients(self, module: Any, *args: Any, **kwargs: Any) -> Any:
            norm = super().clip_gradients(module, *args, **kwargs)
            after = torch.stack([p.grad.norm() for p in module.parameters() if p.grad is not None]).norm()
            norms.append((float(norm), float(after)))
            return norm

    fabric = Fabric2(accelerator="cpu", devices=1)
    train(tmp_path, batches=make_batches(clip_norm=0.01, encoder_epochs=0), fabric=fabric)
    assert all(before > 0.01 for before, _ in norms)
    assert all(after == pytest.approx(0.01, rel=1e-2) for _, after in norms)


def test_the_best_weights_are_those_of_the_best_validation(tmp_path: Path) -> None:
    scores, seen = iter([0.2, 0.6, 0.4]), []

    def validate(network: TinyNetwork) -> dict[str, float]:
        seen.append(network.decoder.weight.detach().clone())
        return {"dice": next(scores), "binary_dice": 0.0, "id_rate": 0.0}

    _, progress = train(tmp_path, validate=validate)
    assert progress.best_epoch == 2
    assert progress.best_score == 0.6
    assert torch.equal(progress.best_weights["decoder.weight"], seen[1])
    resumed: Progress = train(tmp_path, validate=validate)[1]
    assert torch.equal(resumed.best_weights["decoder.weight"], seen[1])


def test_of_equal_scores_the_later_weights_are_kept(tmp_path: Path) -> None:
    network, progress = train(tmp_path)
    assert progress.best_epoch == 3
    assert torch.equal(progress.best_weights["decoder.weight"], network.decoder.weight)


def test_patience_ends_the_training_for_good(tmp_path: Path) -> None:
    scores = iter([0.5, 0.4, 0.3, 0.2, 0.1, 0.9])
    validate = lambda network: {"dice": next(scores), "binary_dice": 0.0, "id_rate": 0.0}  # noqa: E731
    batches = make_batches(epochs=6, patience=2)
    _, progress = train(tmp_path, batches=batches, validate=validate)
    assert (progress.step, progress.best_epoch, progress.stopped) == (12, 1, True)
    _, again = train(tmp_path, batches=batches, validate=validate)
    assert again.step == 12


def test_without_validation_no_weights_are_called_best(tmp_path: Path) -> None:
    _, progress = train(tmp_path, validate=None)
    assert progress.best_weights == {}
    assert set(without_seconds(tmp_path)["phase"]) == {"train"}


def test_the_history_has_a_row_per_epoch_and_validation_with_mean_losses(tmp_path: Path) -> None:
    seen: list[float] = []

    def loss(output: Any, labels: Tensor) -> dict[str, Tensor]:
        terms = tiny_loss(output, labels)
        seen.append(float(terms["total"].detach()))
        return terms

    train(tmp_path, loss=loss)
    frame = pd.read_csv(tmp_path / "history.tsv", sep="\t")
    assert tuple(frame.columns) == COLUMNS
    assert frame["phase"].tolist() == ["train", "validation"] * 3
    assert frame["epoch"].tolist() == [1, 1, 2, 2, 3, 3]
    assert frame["step"].tolist() == [4, 4, 8, 8, 12, 12]
    assert frame["total"].dropna().tolist() == pytest.approx([sum(seen[i : i + 4]) / 4 for i in (0, 4, 8)], rel=1e-5)
    assert frame["dice"].dropna().tolist() == [0.5] * 3
    assert frame["contrast"].isna().all()
    assert (frame.loc[frame["phase"] == "train", "gradient_norm"] > 0).all()
    assert list((tmp_path / "tensorboard").iterdir())


def test_bf16_mixed_trains_on_the_cpu(tmp_path: Path) -> None:
    network, progress = train(tmp_path, batches=make_batches(precision="bf16-mixed"))
    assert progress.step == 12
    assert network.decoder.weight.dtype == torch.float32


def test_one_case_is_learnt_by_heart(tmp_path: Path) -> None:
    batches = make_batches(
        epochs=1, steps_per_epoch=60, encoder_epochs=0, augment=no_augment().model_dump(), learning_rate=0.03
    )
    batches = replace(batches, cases={"a": spine_case("a", count=1)}, names=("a",))
    seen: list[float] = []

    def loss(output: Any, labels: Tensor) -> dict[str, Tensor]:
        terms = tiny_loss(output, labels)
        seen.append(float(terms["vertebrae"].detach()))
        return terms

    train(tmp_path, batches=batches, loss=loss)
    assert sum(seen[-5:]) < 0.2 * sum(seen[:5])


def test_the_running_mean_of_the_weights_is_validated_and_kept(tmp_path: Path) -> None:
    """A mean that keeps 0.75 of itself, over three steps of a network that is moved by hand."""
    settings = make_batches(average=0.75).settings
    network = TinyNetwork()
    mean = average(network, settings)
    for value in (1.0, 2.0, 4.0):
        for parameter in network.parameters():
            parameter.data.fill_(value)
        network.memory.fill_(value)
        mean.update_parameters(network)
    assert mean.module.decoder.weight.unique().tolist() == [0.75 * (0.75 * 1 + 0.25 * 2) + 0.25 * 4]
    assert mean.module.memory.unique().tolist() == [4.0]  # buffers are the last ones
    seen = []

    def validate(network: TinyNetwork) -> dict[str, float]:
        seen.append(network.decoder.weight.detach().clone())
        return {"dice": 0.5, "binary_dice": 0.0, "id_rate": 0.0}

    plain, _ = train(tmp_path / "plain")
    trained, progress = train(tmp_path / "mean", batches=make_batches(average=0.75), validate=validate)
    assert torch.equal(progress.best_weights["decoder.weight"], seen[-1])
    assert torch.equal(trained.decoder.weight, seen[-1])
    assert not torch.equal(trained.decoder.weight, plain.decoder.weight)


@pytest.mark.parametrize("step", [3, 8])
def test_a_resumed_training_with_a_running_mean_ends_like_an_uninterrupted_one(tmp_path: Path, step: int) -> None:
    whole, _ = train(tmp_path / "whole", batches=make_batches(average=0.9))
    killed = type("Killed", (KilledAt,), {"step": step})(**vars(make_batches(average=0.9)))
    with pytest.raises(KilledError):
        train(tmp_path / "killed", batches=killed)
    resumed, _ = train(tmp_path / "killed", batches=make_batches(average=0.9), network=TinyNetwork(seed=5))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_the_best_weights_are_of_the_last_round(tmp_path: Path) -> None:
    rounds = [{"epochs": epochs, "learning_rate": 0.01, "shares": {}} for epochs in (1, 2)]
    scores = iter([0.9, 0.6, 0.4])
    validate = lambda network: {"dice": next(scores), "binary_dice": 0.0, "id_rate": 0.0}  # noqa: E731
    _, progress = train(tmp_path, batches=make_batches(rounds=rounds), validate=validate)
    assert (progress.best_epoch, progress.best_score) == (2, 0.6)
