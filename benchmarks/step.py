# ruff: noqa: T201
"""What does a training step cost (forward, losses, backward, AdamW), batched and written plainly?

    python -m benchmarks.step --sizes demo                     minutes
    python -m benchmarks.step                                  the paper's sizes and function, batch 2
    python -m benchmarks.step --variants batched-bf16 --models as_published siil
    python -m benchmarks.step --variants batched-bf16 --models siil --vertebrae 0 3 6 12
    python -m benchmarks.step --variants batched-bf16 --models siil --set train.batch_size=4
    python -m benchmarks.step --sizes demo --variants batched-bf16 --profile

`plain` is the oracle of tests/oracle: the same function, a loop over samples, vertebrae and tokens. Every variant runs
in a process of its own, so that its peak memory is its own. The share of the peak is the convolutions' and products'
arithmetic (counted by torch, which misses the plain way's products with vectors) over the step's time and the best
rate that a large convolution reaches in the same run.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from siil import config as configuration
from siil.config import Config
from siil.losses.total import total_loss
from siil.model.build import build_network
from siil.model.siil import Siil
from siil.training.optimizer import make_optimizer
from tests.model.samples import spine_labels
from tests.oracle.losses import terms_of
from tests.oracle.mill import Heights
from tests.oracle.network import Setting, forward

EXPERIMENTS = {"demo": "demo", "paper": "verse19"}
VARIANTS = ("plain", "batched", "batched-bf16")
FIRST = 10
"""Internal index of the uppermost vertebra in the patch."""


def batch(config: Config, vertebrae: int) -> tuple[Tensor, Tensor]:
    """image [2, 1, Z, Y, X] and labels [2, Z, Y, X] with `vertebrae` stacked over the patch's height."""
    patch = config.patch.size_vox
    height = patch[0] // max(vertebrae, 1)
    one = spine_labels(list(range(FIRST, FIRST + vertebrae)), height=height, patch=patch)
    labels = torch.cat([one] * config.train.batch_size)
    return 0.2 * torch.randn(len(labels), 1, *patch) + labels[:, None] / 30, labels


def plain_loss(network: Siil, image: Tensor, labels: Tensor, config: Config, *, spacing_mm: float) -> Tensor:
    """The total as the oracle computes it, L from the labels, over samples one by one."""
    parameters: dict[str, Tensor] = dict(network.named_parameters())
    heights = Heights(slice_mm=network.stride * spacing_mm)
    setting = Setting(
        config.model.encoder,
        network.stride,
        config.model.heads,
        heights,
        slices=config.model.slices,
        prior=config.model.slice_prior,
    )
    assert network.ocpl is not None
    M, filled = network.ocpl.memory, network.ocpl.filled
    totals = []
    for one_image, one_labels in zip(image, labels, strict=True):
        answer = forward(parameters, network.ocpl.prototypes, one_image, one_labels, setting)
        activation = config.model.vertebrae_activation
        entropy = config.loss.localisation_entropy
        terms = terms_of(
            answer, one_labels, stride=network.stride, activation=activation, M=M, filled=filled, entropy_weight=entropy
        )
        totals.append(sum(getattr(config.loss, name) * value for name, value in terms.items()))
    return torch.stack(totals).mean()


def batched_loss(network: Siil, image: Tensor, labels: Tensor, config: Config, *, bf16: bool) -> Tensor:
    """The total as training computes it, L from the labels."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        output = network(image, labels)
    return total_loss(output, labels, loss=config.loss, activation=config.model.vertebrae_activation)["total"]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of steps after a first one that is not counted, peak GB, loss of the first step, GFLOP, parameters."""
    (variant,), (vertebrae,), (model,), sizes = options.variants, options.vertebrae, options.models, options.sizes
    torch.manual_seed(0)
    own = {"dataset": "phantom_demo", "folds": [0]} | configuration.parse_overrides(options.set)
    config = configuration.resolve(EXPERIMENTS[sizes], model=model, overrides=own)
    spacing = {"demo": 3.0, "paper": 1.5}[sizes]
    network = build_network(model=config.model, patch_vox=config.patch.size_vox, spacing_mm=spacing)
    assert isinstance(network, Siil)
    optimizer = make_optimizer(network, config.train)
    image, labels = batch(config, vertebrae)

    def step() -> float:
        if variant == "plain":
            loss = plain_loss(network, image, labels, config, spacing_mm=spacing)
        else:
            loss = batched_loss(network, image, labels, config, bf16=variant.endswith("bf16"))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    with FlopCounterMode(display=False) as counter:
        first = step()
    seconds = []
    for _ in range(options.steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    if options.profile:
        with profile(activities=[ProfilerActivity.CPU]) as found:
            step()
        print(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=15), file=sys.stderr)
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    flop = counter.get_total_flops() / 1e9
    size = sum(parameter.numel() for parameter in network.parameters()) / 1e6
    return {"seconds": statistics.median(seconds), "peak_gb": peak_gb, "loss": first, "gflop": flop, "millions": size}


def convolution_peak(dtype: torch.dtype) -> float:
    """Best GFLOP/s of the forward pass of a 3^3 convolution with 64 channels."""
    layer = torch.nn.Conv3d(64, 64, 3, padding=1, bias=False).to(dtype)
    volume = torch.randn(2, 64, 32, 32, 32).to(dtype)
    best = float("inf")
    with torch.inference_mode():
        for _ in range(8):
            start = time.perf_counter()
            layer(volume)
            best = min(best, time.perf_counter() - start)
    return 2 * 27 * 64 * 64 * 2 * 32**3 / best / 1e9


def main() -> None:
    """Measure the variants one after the other and print a row of the table for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", choices=list(EXPERIMENTS), default="paper")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--models", nargs="+", default=["as_published"], help="of config/models: as_published, siil")
    parser.add_argument("--vertebrae", nargs="+", type=int, default=[6], help="present in the patch")
    parser.add_argument("--steps", type=int, default=2, help="timed, after one that is not")
    parser.add_argument("--profile", action="store_true", help="print where the time of one more step goes")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the configuration")
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(measure(options)))
        return
    peaks = {bf16: convolution_peak(torch.bfloat16 if bf16 else torch.float32) for bf16 in (False, True)}
    print(f"{torch.get_num_threads()} threads; convolution peak {peaks[False]:.0f} GFLOP/s, bf16 {peaks[True]:.0f}")
    print(
        f"{' '.join(options.set)}\n\n| model | variant | vertebrae | step s | peak memory GB | million parameters | "
        "share of the peak | loss |\n|---|---|---|---|---|---|---|---|"
    )
    for model, vertebrae, variant in product(options.models, options.vertebrae, options.variants):
        print(_row(model, variant, vertebrae, options, peaks[variant.endswith("bf16")]), flush=True)


def _row(model: str, variant: str, vertebrae: int, options: argparse.Namespace, peak: float) -> str:
    """A row of the table, from a process of its own."""
    command = [sys.executable, "-m", "benchmarks.step", "--alone", "--sizes", options.sizes]
    command += ["--models", model, "--variants", variant, "--vertebrae", str(vertebrae), "--steps", str(options.steps)]
    command += ["--profile"] if options.profile else []
    command += [word for pair in options.set for word in ("--set", pair)]
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    share = "–" if variant == "plain" else f"{found['gflop'] / found['seconds'] / peak:.0%}"
    about = f"{found['seconds']:.2f} | {found['peak_gb']:.2f} | {found['millions']:.1f} | {share} | {found['loss']:.5f}"
    return f"| {model} | {variant} | {vertebrae} | {about} |"


if __name__ == "__main__":
    main()
