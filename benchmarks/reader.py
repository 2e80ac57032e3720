"""What did the network answer? A benchmark's answers, kept on disk, so that another setting takes seconds."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.subjects import Loaded
from siil.config import Config
from siil.config.schema.phantom import PhantomRecipe
from siil.inference.device import pick_device, usable_precision
from siil.inference.posterior import Landmarks, Posterior
from siil.inference.predict_case import Prediction, interpret, predict_case
from siil.inference.second_look import Again
from siil.model.weights import SHIPPED_SECOND_LOOK, load_network, load_second_look
from siil.run import files


def write_posterior(path: Path, posterior: Posterior) -> None:
    """Keep the network's answer."""
    maps = asdict(posterior)
    landmarks = maps.pop("landmarks") or {}
    with files.atomic(path) as temporary:
        np.savez_compressed(temporary, **maps, **{f"landmarks_{name}": value for name, value in landmarks.items()})


def read_posterior(path: Path) -> Posterior:
    """The network's answer again."""
    with np.load(path, allow_pickle=False) as stored:
        maps = {field.name: stored[field.name] for field in fields(Posterior) if field.name in stored}
        if "landmarks_index" in stored:
            maps["landmarks"] = Landmarks(stored["landmarks_index"], stored["landmarks_chance"])
        return Posterior(**maps)


class Reader:
    """Weights, settings, and the network's answers that are kept. second_look: its weights, if it is to be taken."""

    def __init__(
        self,
        weights: Path,
        config: Config,
        *,
        recipe: PhantomRecipe | None,
        kept: Path,
        device: str,
        second_look: Path = SHIPPED_SECOND_LOOK,
    ) -> None:
        network, self.about = load_network(weights)
        self.device = pick_device(device)
        self.second_look = second_look if config.inference.refine else None
        self.second = load_second_look(second_look) if config.inference.refine else None
        self.network = network.to(self.device)
        self.inference = config.inference
        trained = {"spacing_mm": self.about.spacing_mm, "window_hu": self.about.window_hu}
        self.preprocess = config.dataset.preprocess.model_copy(update=trained)
        self.kept = kept
        self.recipe = recipe
        self.about_scans = {
            "weights": files.sha256(weights),
            "preprocess": self.preprocess.model_dump(mode="json"),
            "recipe": self.recipe.model_dump(mode="json") if self.recipe else None,
        }
        if any(kept.glob("*.npz")) and not (kept / "network.json").is_file():
            raise SystemExit(f"ERROR: {kept}: holds answers of unknown weights; choose another folder or remove it")
        same_or_refused(kept / "network.json", self.about_scans, "answers of other weights, or of other scans")

    def read(self, scan: Loaded, name: str) -> Prediction:
        """The prediction of one scan; the network runs only where its answer is not kept."""
        path, again = self.kept / f"{name}.npz", None
        if self.second:
            second, described = self.second
            precision = usable_precision(self.inference.precision, self.device)
            again = Again(second.to(self.device), described, scan.source(), self.device, precision)
        both: dict[str, Any] = {"inference": self.inference, "again": again, "both": True}
        if path.is_file():
            return interpret(read_posterior(path), scan.image, scan.geometry, **both)
        found = predict_case(self.network, scan.image, scan.geometry, weights=self.about, device=self.device, **both)
        write_posterior(path, found.posterior)
        return found


def same_or_refused(path: Path, about: dict[str, Any], what: str) -> None:
    """Refuse a folder that was made with something else."""
    if path.is_file() and json.loads(path.read_text()) != about:
        raise SystemExit(f"ERROR: {path.parent}: holds {what}; choose another folder or remove it")
    files.write_json(path, about)
