"""Stage 6, `train`: patches of the training cases -> the weights that are best on the validation cases."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siil import config as configuration
from siil.config import Config
from siil.datasets.folds import read_landmarks, read_list, read_sources
from siil.errors import ConfigError, DatasetError
from siil.run import files, processes, provenance
from siil.run.pipeline import BY_NAME

if TYPE_CHECKING:
    from siil.model.network import Network
    from siil.training.case_store import CaseStore
    from siil.training.checkpoint import Progress
    from siil.training.fabric import Fabric

log = logging.getLogger(__name__)
Names = dict[str, tuple[str, ...]]


def train(
    *,
    config: Config,
    data: Annotated[Path, typer.Option(help="dataset folder with img/, msk/ and pap/")],
    lists: Annotated[Path, typer.Option(help="fold folder with training.txt, validation.txt and sources.tsv")],
    output: Annotated[Path, typer.Option(help="folder for weights.safetensors, history.tsv and run.json")],
    device: Annotated[str, typer.Option(help="auto, cpu or cuda")] = "auto",
    memory_gb: Annotated[float, typer.Option(help="memory for cases kept between two draws, GB")] = 8.0,
) -> None:
    """Train one network on one fold; keep the weights that are best on its validation cases.

    A killed run goes on from OUTPUT/last.ckpt when it is called again, and ends as if it had not been interrupted.
    Under torchrun or srun the processes share each batch; the first writes the files.
    Curves for TensorBoard are in OUTPUT/tensorboard. Research use only, not a medical device.
    """
    from siil.inference.device import usable_precision
    from siil.training.case_store import CaseStore
    from siil.training.device import device_name, make_fabric, peak_memory_mb
    from siil.training.start import start_network

    settings, spacing_mm, patch_vox = config.train, config.dataset.preprocess.spacing_mm, config.patch.size_vox
    names = read_names(lists)
    start = Path(settings.init_weights) if settings.init_weights else None
    values = configuration.sections(config, BY_NAME["train"].sections)
    first = processes.launched().first
    with provenance.record(output / "run.json", stage="train", config=values, seed=settings.seed, write=first) as entry:
        fabric = make_fabric(device, precision=settings.precision)
        network = start_network(
            model=config.model, patch_vox=patch_vox, spacing_mm=spacing_mm, seed=settings.seed, weights=start
        )
        store = CaseStore(data, memory_bytes=round(memory_gb * 1e9))
        cases = (*names["training"], *names["validation"])
        entry["inputs"] = store.digests(cases) | ({str(start): files.sha256(start)} if start else {})
        sources = read_sources(lists / "sources.tsv")
        check_shares(settings, [sources.get(case, "") for case in names["training"]])
        landmarks = read_landmarks(lists / "sources.tsv")
        digest = _digest(
            {"names": names, "sources": sources, "landmarks": landmarks}
            | {key: entry[key] for key in ("config", "code", "inputs")}
        )
        progress = _fit(
            config,
            fabric=fabric,
            network=network,
            store=store,
            names=names,
            sources=sources,
            landmarks=landmarks,
            output=output,
            digest=digest,
        )
        entry["device"], entry["peak_memory_mb"] = device_name(fabric), peak_memory_mb(fabric)
        precision = usable_precision(settings.precision, fabric.device.type)
        entry |= facts(progress, network, precision=precision)
        if first:
            _save(config, network, progress, path=output / "weights.safetensors", code=entry["code"])
    log.info("best epoch %d: dice %.3f per vertebra on validation cases", progress.best_epoch, progress.best_score)


def read_names(lists: Path) -> Names:
    """The cases to train and to validate on. Raises DatasetError: no list, no case to train on, or one case in both."""
    names = {part: read_list(lists / f"{part}.txt") for part in ("training", "validation")}
    if not names["training"]:
        raise DatasetError(f"{lists / 'training.txt'}: no case to train on; run the split step again")
    if not names["validation"]:
        log.warning("%s names no case: the last weights are kept instead of the best", lists / "validation.txt")
    if both := sorted(set(names["training"]) & set(names["validation"])):
        raise DatasetError(f"{lists}: case {both[0]} is in training.txt and validation.txt; run the split step again")
    return names


def check_shares(settings: Train, sources: Collection[str]) -> None:
    """Raise ConfigError where a share names a source that has no training case. sources: those of the cases."""
    from siil.training.schedule import rounds_of

    for number, one in enumerate(rounds_of(settings)):
        for source in one.shares:
            if source not in sources:
                raise ConfigError(
                    f"train.shares: source {source} of round {number} has no training case in this fold; there are "
                    f"{', '.join(sorted(set(sources)))}"
                )


def facts(progress: Progress, network: Network, *, precision: str) -> dict[str, Any]:
    """What the run record says beyond configuration, code and inputs."""
    return {
        "precision": precision,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "steps": progress.step,
        "training_seconds": round(progress.seconds, 1),
        "steps_per_second": round(progress.step / max(progress.seconds, 1e-9), 3),
        "best_epoch": progress.best_epoch,
        "best_score": progress.best_score if progress.best_weights else None,
        "stopped_early": progress.stopped,
    }


def _fit(
    config: Config,
    *,
    fabric: Fabric,
    network: Network,
    store: CaseStore,
    names: Names,
    sources: Mapping[str, str],
    landmarks: Mapping[str, Collection[str]],
    output: Path,
    digest: str,
) -> Progress:
    """Build everything that the loop wants from the configuration, and run it."""
    from siil.inference.device import usable_precision
    from siil.losses.total import total_loss
    from siil.training.checkpoint import Checkpoint
    from siil.training.engine import fit
    from siil.training.history import History
    from siil.training.patches import Batches
    from siil.training.schedule import Schedule, steps_per_epoch
    from siil.training.validation import Validator

    settings, activation = config.train, config.model.vertebrae_activation
    common: dict[str, Any] = {
        "cases": store,
        "patch_vox": config.patch.size_vox,
        "spacing_mm": config.dataset.preprocess.spacing_mm,
        "window_hu": config.dataset.preprocess.window_hu,
    }
    validator = Validator(
        names=names["validation"][: settings.validate_cases],
        fabric=fabric,
        inference=config.inference,
        activation=activation,
        precision=usable_precision(settings.precision, fabric.device.type),
        **common,
    )
    schedule = Schedule(settings, steps_per_epoch(settings, cases=len(names["training"])))
    return fit(
        fabric=fabric,
        network=network,
        loss=lambda output, labels: total_loss(output, labels, loss=config.loss, activation=activation),
        batches=Batches(
            names=names["training"],
            settings=settings,
            sources=sources,
            shares=schedule.shares,
            landmarks=landmarks,
            rank=fabric.global_rank,
            world=fabric.world_size,
            pin=fabric.device.type == "cuda",
            **common,
        ),
        schedule=schedule,
        checkpoint=Checkpoint(output / "last.ckpt", digest, settings.checkpoint_every_steps),
        history=History(output if fabric.is_global_zero else None),
        validate=validator if names["validation"] else None,
    )


def _save(config: Config, network: Network, progress: Progress, *, path: Path, code: str) -> None:
    from siil.model.weights import Weights, save_weights

    if progress.best_weights:
        network.load_state_dict(progress.best_weights)
    about = Weights(
        model=config.model,
        patch_vox=config.patch.size_vox,
        spacing_mm=config.dataset.preprocess.spacing_mm,
        window_hu=config.dataset.preprocess.window_hu,
        experiment=config.experiment,
        code=code,
    )
    save_weights(path, network, about=about, half=config.train.half)


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
