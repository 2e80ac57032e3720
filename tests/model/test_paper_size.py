"""The paper's sizes for real, as published and by default: forward and backward of batch 2. Minutes on two cores."""

from __future__ import annotations

import logging
import resource
import time
from collections.abc import Callable

import pytest
import torch
import yaml

from siil.config import CONFIG_DIR
from siil.config.schema.model import Loss, Model
from siil.inference.device import usable_precision
from siil.losses.total import total_loss
from siil.model.build import build_network
from tests.model.samples import spine_labels

log = logging.getLogger(__name__)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "teacher"), [("as_published", True), ("siil", False)])
def test_forward_and_backward_of_the_papers_sizes(
    name: str, teacher: bool, record_property: Callable[[str, object], None]
) -> None:
    values = yaml.safe_load((CONFIG_DIR / "config.yaml").read_text())
    overlay = yaml.safe_load((CONFIG_DIR / f"models/{name}.yaml").read_text()) or {}
    model = values["model"] | overlay.get("model", {})
    patch = tuple(values["patch"]["size_vox"])
    torch.manual_seed(0)
    network = build_network(model=Model.model_validate(model), patch_vox=patch, spacing_mm=1.5).train()
    labels = torch.cat([spine_labels([15, 16, 17, 18, 19, 20], height=20, patch=patch)] * 2)
    image = torch.randn(2, 1, *patch)
    started = time.perf_counter()
    bf16 = usable_precision("bf16-mixed", "cpu") == "bf16-mixed"
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        output = network(image, labels if teacher else None)
    terms = total_loss(output, labels, loss=Loss.model_validate(values["loss"]), activation="softmax")
    terms["total"].backward()
    seconds = time.perf_counter() - started
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    record_property("seconds", round(seconds, 1))
    record_property("peak_rss_gb", round(peak_gb, 2))
    log.info("forward and backward %.1f s, peak RSS %.2f GB", seconds, peak_gb)
    assert all(torch.isfinite(value) for value in terms.values())
    assert all(torch.isfinite(value.grad).all() for value in network.parameters() if value.grad is not None)
    assert output.vertebrae.shape == (2, 27, *patch)
    assert peak_gb < 8
