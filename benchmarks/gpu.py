# ruff: noqa: T201
"""What does a training step cost on a GPU, in each way of computing? Time, memory, arithmetic rate, as one table.

    python -m benchmarks.gpu --output table.md

A step is forward, losses, backward, clipping, AdamW and the memory of OCPL. For the demo's and the paper's sizes, SIIL
and the baselines, in each way of computing. The peak is what a large matrix product reaches in the same precision and
run. A way that fails has the reason in its row, and the rest goes on. With `--device cpu` the ways that a CPU has run
too, which is how the script is tested.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from siil import config as configuration
from siil.config import Config
from siil.losses.total import total_loss
from siil.model.build import build_network
from siil.model.network import Network
from siil.run import files
from tests.model.samples import spine_labels

EXPERIMENTS = {"demo": ("demo", 3.0), "paper": ("verse19", 1.5)}
"""Sizes -> experiment and spacing in mm."""
VERTEBRAE = list(range(14, 20))


@dataclass(frozen=True)
class Way:
    """A way to compute a step."""

    name: str
    bf16: bool = True
    tf32: bool = True
    channels_last: bool = False
    compiled: bool = False
    graph: bool = False


WAYS = (
    Way("float32", bf16=False, tf32=False),
    Way("TF32", bf16=False),
    Way("bfloat16"),
    Way("bfloat16, channels last", channels_last=True),
    Way("bfloat16, compiled", compiled=True),
    Way("bfloat16, CUDA graph", graph=True),
)


@dataclass(frozen=True)
class Step:
    """A network with its batch. `run` makes one training step and reads nothing back."""

    network: Network
    forward: Callable[[Tensor], Any]
    optimizer: torch.optim.Optimizer
    image: Tensor
    labels: Tensor
    config: Config
    bf16: bool

    def run(self) -> None:
        with torch.autocast(self.image.device.type, torch.bfloat16, enabled=self.bf16):
            output = self.forward(self.image)
        activation = self.config.model.vertebrae_activation
        total_loss(output, self.labels, loss=self.config.loss, activation=activation)["total"].backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.train.clip_norm or float("inf"))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)
        self.network.remember(output, self.labels)


def make_step(config: Config, way: Way, *, spacing_mm: float, device: torch.device) -> Step:
    """A network of `config` on `device`, with a batch of six vertebrae a patch."""
    torch.manual_seed(0)
    patch = config.patch.size_vox
    network = build_network(model=config.model, patch_vox=patch, spacing_mm=spacing_mm).to(device)
    one = spine_labels(VERTEBRAE, height=patch[0] // len(VERTEBRAE), patch=patch)
    labels = torch.cat([one] * config.train.batch_size)
    image = (0.2 * torch.randn(len(labels), 1, *patch) + labels[:, None] / 30).to(device)
    if way.channels_last:
        network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        image = image.to(memory_format=torch.channels_last_3d)
    forward = torch.compile(network) if way.compiled else network
    rate = config.train.learning_rate
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, fused=True, capturable=way.graph)
    return Step(network, forward, optimizer, image, labels.to(device), config, way.bf16)


def measure(step: Step, way: Way, *, steps: int) -> tuple[float, float, float]:
    """Seconds of a step, peak memory in GB (NaN on a CPU), and GFLOP of a step."""
    device = step.image.device
    if way.graph and device.type != "cuda":
        raise RuntimeError("CUDA graphs need a GPU")
    with FlopCounterMode(display=False) as counter:
        step.run()
    run = captured(step) if way.graph else step.run
    for _ in range(3):
        run()
    if device.type != "cuda":
        start = time.perf_counter()
        for _ in range(steps):
            run()
        return (time.perf_counter() - start) / steps, float("nan"), counter.get_total_flops() / 1e9
    if not way.graph:  # replays allocate nothing: a graph's peak is that of its capture
        torch.cuda.reset_peak_memory_stats(device)
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    for _ in range(steps):
        run()
    torch.cuda.synchronize(device)
    seconds = (time.perf_counter() - start) / steps
    return seconds, torch.cuda.max_memory_allocated(device) / 1e9, counter.get_total_flops() / 1e9


def captured(step: Step) -> Callable[[], None]:
    """A whole step as a CUDA graph; the batch's tensors are its inputs. Peak memory counts from the capture on."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # lazy set-up must not be captured
        for _ in range(3):
            step.run()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step.run()
    return graph.replay


@contextmanager
def precision(way: Way) -> Iterator[None]:
    """TF32 as `way` wants it, as before afterwards."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = way.tf32
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def peak_gflops(device: torch.device, way: Way, *, side: int) -> float:
    """GFLOP/s of the best of a few square matrix products of `side`."""
    kind = torch.bfloat16 if way.bf16 else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    best = float("inf")
    for _ in range(6):
        start = time.perf_counter()
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best / 1e9


def row(sizes: str, model: str, way: Way, options: argparse.Namespace) -> str:
    """A row of the table; what fails says why."""
    device = torch.device(options.device)
    experiment, spacing_mm = EXPERIMENTS[sizes]
    overrides = configuration.parse_overrides(options.set) | {"dataset": "phantom_demo", "folds": [0]}
    try:
        config = configuration.resolve(experiment, model=model, overrides=overrides)
        with precision(way):
            step = make_step(config, way, spacing_mm=spacing_mm, device=device)
            seconds, memory_gb, gflop = measure(step, way, steps=options.steps)
            peak = peak_gflops(device, way, side=options.side)
    except Exception as error:  # one way must not cost the others their rows
        said = " ".join(str(error).split())[:100]
        return f"| {sizes} | {model} | {way.name} | {type(error).__name__}: {said} | | | |"
    memory = "–" if memory_gb != memory_gb else f"{memory_gb:.2f}"
    rate = gflop / seconds
    return (
        f"| {sizes} | {model} | {way.name} | {1000 * seconds:.1f} | {memory} | {rate / 1000:.2f} | {rate / peak:.0%} |"
    )


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sizes", nargs="+", choices=list(EXPERIMENTS), default=list(EXPERIMENTS))
    parser.add_argument("--models", nargs="+", default=["siil", "trunk", "unet", "segresnet", "swin_unetr"])
    parser.add_argument("--steps", type=int, default=20, help="timed, after four that are not")
    parser.add_argument("--side", type=int, default=8192, help="of the matrix product that is the peak")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the configuration")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args(arguments)
    on_gpu = options.device.startswith("cuda")
    if on_gpu and not torch.cuda.is_available():
        raise SystemExit(f"--device {options.device}: torch finds no GPU here; --device cpu measures the ways of a CPU")
    lines = [
        f"{torch.cuda.get_device_name(options.device) if on_gpu else 'CPU'}, torch {torch.__version__}",
        "",
        "| sizes | model | computed in | step (ms) | peak memory (GB) | TFLOP/s | share of the peak |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for sizes in options.sizes:
        for model in options.models:
            for way in WAYS:
                lines.append(row(sizes, model, way, options))
                print(lines[-1], flush=True)
    if options.output:
        files.write_text(options.output, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
