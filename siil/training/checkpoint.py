"""The resume file `last.ckpt`: everything that the next step depends on, as tensors and plain values only.

Written atomically and read with `weights_only=True`, so a pickle made elsewhere is never executed. A file that cannot
be read, or that another configuration, other code or other data wrote, is set aside under another name with a log line;
training then starts from scratch. `last.ckpt` is no declared output, so the workflow never deletes it.
"""

from __future__ import annotations

import logging
import pickle
import time
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from siil.run import files
from siil.training.fabric import Fabric

log = logging.getLogger(__name__)
FORMAT: Final = 2
_UNREADABLE: Final = (OSError, RuntimeError, ValueError, KeyError, EOFError, TypeError, pickle.UnpicklingError)


@dataclass
class Progress:
    """Where a training stands. Changed in place by the loop.

    step: finished steps. history: rows of history.tsv. sums: loss terms of the running epoch, added up.
    best_score, best_epoch, best_weights: the best validation so far (weights on the CPU).
    unimproved: validations since then. stopped: early stop reached. seconds: wall time of all runs together.
    """

    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    best_score: float = float("-inf")
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    unimproved: int = 0
    stopped: bool = False
    seconds: float = 0.0
    _last: float = field(default_factory=time.monotonic, init=False)

    def advance(self) -> None:
        """Count a step."""
        self.step += 1

    def add(self, rows: Iterable[Mapping[str, float]]) -> None:
        """Add the loss terms of steps to the sums of the running epoch."""
        for values in rows:
            for name, value in values.items():
                self.sums[name] = self.sums.get(name, 0.0) + value

    def tick(self) -> float:
        """Seconds of training until now."""
        now = time.monotonic()
        self.seconds, self._last = self.seconds + now - self._last, now
        return self.seconds

    def values(self) -> dict[str, Any]:
        """The fields as plain values and tensors, for the resume file."""
        self.tick()
        return {name: value for name, value in vars(self).items() if name != "_last"}

    def judge(self, score: float, *, epoch: int, network: nn.Module) -> None:
        """Keep the network's weights when `score` is at least the best so far."""
        self.unimproved = 0 if score > self.best_score else self.unimproved + 1
        if score >= self.best_score:
            self.best_score, self.best_epoch = score, epoch
            self.best_weights = copy_weights(network)


def copy_weights(network: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of `network`, copied to the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in network.state_dict().items()}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The resume file of one training. `digest` names the configuration, code and data that it belongs to."""

    path: Path
    digest: str
    every_steps: int

    def due(self, done: int) -> bool:
        """Is a write due after `done` finished steps (besides those at the end of an epoch)?"""
        return done % self.every_steps == 0

    def save(
        self, progress: Progress, *, fabric: Fabric, network: nn.Module, optimizer: Optimizer, mean: nn.Module | None
    ) -> None:
        """Write the file from the first process; the others wait."""
        if fabric.is_global_zero:
            state = {
                "format": FORMAT,
                "digest": self.digest,
                "progress": progress.values(),
                "network": network.state_dict(),
                "optimizer": optimizer.state_dict(),
                "mean": None if mean is None else mean.state_dict(),
                "precision": fabric.strategy.precision.state_dict(),
                "rng": torch.get_rng_state(),
                "rng_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            }
            with files.atomic(self.path) as temporary:
                _write(temporary, state)
        fabric.barrier()

    def resume(self, *, fabric: Fabric, network: nn.Module, optimizer: Optimizer, mean: nn.Module | None) -> Progress:
        """Put a matching file's state into network, its running mean, optimiser and generators; else start from
        nothing."""
        with fabric.rank_zero_first():  # the first process sets a stale file aside, the others find none
            state = self._read()
        if state is None:
            return Progress()
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        if mean is not None:
            mean.load_state_dict(state["mean"])
        fabric.strategy.precision.load_state_dict(state["precision"])
        torch.set_rng_state(state["rng"])
        if state["rng_cuda"] and torch.cuda.device_count() == len(state["rng_cuda"]):
            torch.cuda.set_rng_state_all(state["rng_cuda"])
        progress = Progress(**state["progress"])
        log.info("resuming %s after step %d", self.path, progress.step)
        return progress

    def _read(self) -> dict[str, Any] | None:
        if not self.path.is_file():
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # torch warns of a foreign pickle before it refuses it
                state = torch.load(self.path, map_location="cpu", weights_only=True)
            if state["format"] == FORMAT and state["digest"] == self.digest:
                return state
            reason = "it belongs to another configuration, other code or other data"
        except _UNREADABLE as error:
            reason = f"it cannot be read ({' '.join(str(error).split())[:120] or type(error).__name__})"
        aside = _free_name(self.path)
        self.path.rename(aside)
        log.warning("%s is set aside as %s: %s; training starts from scratch", self.path, aside.name, reason)
        return None


def _write(path: Path, state: dict[str, Any]) -> None:
    """torch.save that says of a full disk what the system said; torch itself raises an error of its own after that."""
    with path.open("wb") as stream:
        try:
            torch.save(state, stream)
        except RuntimeError as error:
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.stale-{number}")).exists():
        number += 1
    return aside
