# ruff: noqa: T201
"""How many epochs has each model of an experiment in the same time? A training step of all, side by side.

    python -m benchmarks.models --experiment ablation

Steps of the models alternate, so that other work on the machine slows all of them alike; the smallest of each is
compared. The last lines are `per_model` of an experiment at equal time (config/experiments/ablation_time.yaml).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from siil import config as configuration
from siil.config import Config
from siil.inference.device import usable_precision
from siil.losses.total import total_loss
from siil.model.build import build_network
from siil.training.optimizer import make_optimizer
from tests.model.samples import spine_labels

VERTEBRAE = list(range(14, 20))
"""Internal indices of those in the patch."""


def stepper(config: Config, *, spacing_mm: float) -> Callable[[], float]:
    """A function that makes one training step (L predicted) and returns its seconds."""
    torch.manual_seed(0)
    patch, precision = config.patch.size_vox, usable_precision(config.train.precision, "cpu")
    network = build_network(model=config.model, patch_vox=patch, spacing_mm=spacing_mm)
    optimizer = make_optimizer(network, config.train)
    one = spine_labels(VERTEBRAE, height=patch[0] // len(VERTEBRAE), patch=patch)
    labels = torch.cat([one] * config.train.batch_size)
    image = 0.2 * torch.randn(len(labels), 1, *patch) + labels[:, None] / 30

    def step() -> float:
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision != "32-true"):
            output = network(image)
        terms = total_loss(output, labels, loss=config.loss, activation=config.model.vertebrae_activation)
        terms["total"].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.train.clip_norm or float("inf"))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        network.remember(output, labels)
        return time.perf_counter() - start

    return step


def main() -> None:
    """Measure, print the table and what it means for epochs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", default="ablation")
    parser.add_argument("--steps", type=int, default=12, help="timed steps of each model, after two that are not")
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    whole = configuration.resolve(chosen.experiment)
    configs = {model: configuration.resolve(chosen.experiment, model=model) for model in whole.models}
    spacing_mm = whole.dataset.preprocess.spacing_mm
    steppers = {model: stepper(config, spacing_mm=spacing_mm) for model, config in configs.items()}
    rounds = [{model: step() for model, step in steppers.items()} for _ in range(chosen.steps + 2)][2:]
    best = {model: min(seconds[model] for seconds in rounds) for model in steppers}
    first = whole.models[0]
    print("| model | step (s) | epochs in the time of the first |\n|---|---|---|")
    epochs = {model: round(configs[first].train.epochs * best[first] / best[model]) for model in best}
    for model, seconds in best.items():
        print(f"| {model} | {seconds:.3f} | {epochs[model]} |")
    print("\nper_model:")
    for model in [model for model, count in epochs.items() if count != configs[first].train.epochs]:
        print(f"  {model}: {{train: {{epochs: {epochs[model]}}}}}")


if __name__ == "__main__":
    main()
