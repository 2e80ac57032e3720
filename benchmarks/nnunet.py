"""How long does nnU-Net v2 take on one scan? Its own planner, default network (random weights) and predictor.

    ENVIRONMENT/bin/python benchmarks/nnunet.py SCAN.nii.gz OUTPUT_FOLDER SPACING_MM [--windows 4] [--no-mirroring]

Runs in an environment with nnunetv2 and imports nothing of this package; benchmarks/predict.py calls it. The plan is
that of ExperimentPlanner (3d_fullres, 8 GB) for a dataset of scans like this one at an isotropic spacing, with 26
vertebrae as labels. `--windows N` computes N windows and scales their time to all of them ("estimated" in
seconds.json); reading, resampling, exporting and writing are always done in full.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

DATASET = "Dataset901_Spine"
SCANS = 40


def fingerprint(shape: list[int], spacing_mm: float) -> dict[str, Any]:
    """What nnU-Net extracts from a dataset: scans of `shape` (Z, Y, X) at `spacing_mm`, HU as in CT of the trunk."""
    hu = {"mean": 250.0, "median": 210.0, "std": 220.0, "min": -400.0, "max": 1800.0}
    return {
        "spacings": [[spacing_mm] * 3] * SCANS,
        "shapes_after_crop": [shape] * SCANS,
        "foreground_intensity_properties_per_channel": {
            "0": hu | {"percentile_00_5": -60.0, "percentile_99_5": 1100.0}
        },
        "median_relative_size_after_cropping": 1.0,
    }


def description(scan: Path) -> dict[str, Any]:
    """dataset.json: one CT channel, background and 26 vertebrae, this scan as every example."""
    example = {"images": [str(scan)], "label": str(scan)}
    return {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, **{f"v{n}": n for n in range(1, 27)}},
        "file_ending": ".nii.gz",
        "numTraining": SCANS,
        "dataset": {f"case{n}": example for n in range(SCANS)},
    }


def timed(seconds: dict[str, float], name: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """`work`, whose time is added to `seconds` under `name`."""

    def run(*args: Any, **words: Any) -> Any:
        start = time.perf_counter()
        try:
            return work(*args, **words)
        finally:
            seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - start

    return run


def make_plans(scan: Path, home: Path, spacing_mm: float) -> dict[str, Any]:
    """nnU-Net's plans for scans like this one at an isotropic spacing."""
    import SimpleITK as sitk
    from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner

    reader = sitk.ImageFileReader()
    reader.SetFileName(str(scan))
    reader.ReadImageInformation()
    pairs = zip(reader.GetSize()[::-1], reader.GetSpacing()[::-1], strict=True)
    shape = [round(n * mm / spacing_mm) for n, mm in pairs]
    for folder, name, content in (
        ("raw", "dataset.json", description(scan)),
        ("preprocessed", "dataset_fingerprint.json", fingerprint(shape, spacing_mm)),
    ):
        path = home / folder / DATASET / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    plans: dict[str, Any] = ExperimentPlanner(DATASET).plan_experiment()
    return plans


def make_predictor(plans: dict[str, Any], dataset: dict[str, Any], *, mirroring: bool) -> Any:
    """Its predictor with its default network, random weights, on the CPU; steps of half a window, Gaussian weights."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    manager = PlansManager(plans)
    configuration = manager.get_configuration("3d_fullres")
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        1,
        len(dataset["labels"]),
        deep_supervision=False,
    )
    predictor = nnUNetPredictor(use_mirroring=mirroring, device=torch.device("cpu"), perform_everything_on_device=False)
    weights, axes = [network.state_dict()], (0, 1, 2)
    predictor.manual_initialization(network.eval(), manager, configuration, weights, dataset, "nnUNetTrainer", axes)
    return predictor


def estimate(predictor: Any, count: int, counts: dict[str, Any]) -> Callable[[Any], Any]:
    """In place of the predictor's pass over all windows: time `count` of them, give empty logits."""
    import torch
    from acvl_utils.cropping_and_padding.padding import pad_nd_image

    def run(data: Any) -> Any:
        padded = pad_nd_image(data, predictor.configuration_manager.patch_size, "constant", {"value": 0})
        slicers = predictor._internal_get_sliding_window_slicers(padded.shape[1:])
        counts["windows"], counts["computed"] = len(slicers), min(count, len(slicers))
        with torch.inference_mode():
            for slicer in slicers[:count]:
                predictor._internal_maybe_mirror_and_predict(padded[slicer][None])
        return torch.zeros((len(predictor.dataset_json["labels"]), *data.shape[1:]), dtype=torch.half)

    return run


def main() -> None:
    """Predict and write seconds.json beside the label map."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("spacing_mm", type=float)
    parser.add_argument("--windows", type=int, help="compute this many, scale to all")
    parser.add_argument("--no-mirroring", action="store_true")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        for name in ("raw", "preprocessed", "results"):
            os.environ[f"nnUNet_{name}"] = str(Path(home) / name)
        plans = make_plans(options.scan.resolve(), Path(home), options.spacing_mm)
    from nnunetv2.inference import predict_from_raw_data as module

    dataset = description(options.scan)
    predictor = make_predictor(plans, dataset, mirroring=not options.no_mirroring)
    seconds: dict[str, float] = {}
    counts: dict[str, Any] = {"patch": list(predictor.configuration_manager.patch_size)}
    if options.windows:
        predictor.predict_logits_from_preprocessed_data = estimate(predictor, options.windows, counts)
    predictor.predict_logits_from_preprocessed_data = timed(
        seconds, "network", predictor.predict_logits_from_preprocessed_data
    )
    preprocessor = predictor.configuration_manager.preprocessor_class
    preprocessor.run_case = timed(seconds, "preprocess", preprocessor.run_case)
    module.export_prediction_from_logits = timed(seconds, "labels", module.export_prediction_from_logits)
    start = time.perf_counter()
    predictor.predict_from_files_sequential([[str(options.scan)]], [str(options.output / "labels")])
    seconds["whole"] = time.perf_counter() - start
    if options.windows:
        missing = seconds["network"] * (counts["windows"] / counts["computed"] - 1)
        seconds["network"] += missing
        seconds["whole"] += missing
    found = seconds | counts | {"estimated": bool(options.windows), "mirroring": not options.no_mirroring}
    (options.output / "seconds.json").write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
