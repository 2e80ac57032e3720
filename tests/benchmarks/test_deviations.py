"""Every variant of benchmarks/deviations.py differs from the network as it is in what its name says, and no more."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import deviations
from benchmarks.deviations import VARIANTS, background_competes, resolved, table
from siil.inference.fuse import raw_labels
from siil.inference.posterior import Posterior
from siil.model.build import build_network
from siil.model.encoder import Presence
from siil.model.mill import Mill


def _network(name: str) -> torch.nn.Module:
    changed, undo = VARIANTS[name]
    config = resolved(changed, seed=0, steps=10)
    torch.manual_seed(0)
    with undo():
        return build_network(model=config.model, patch_vox=config.patch.size_vox, spacing_mm=3.0)


@pytest.mark.parametrize("name", [name for name, (changed, _) in VARIANTS.items() if changed])
def test_variants_of_the_configuration_change_one_key(name: str) -> None:
    changed, _ = VARIANTS[name]
    (section,) = changed
    ((key, value),) = changed[section].items()
    before, after = (resolved(keys, seed=0, steps=10).model_dump() for keys in ({}, changed))
    assert before[section][key] != value
    before[section][key] = value
    assert after == before


def test_without_the_negative_biases_three_biases_are_zero_and_nothing_else_differs() -> None:
    before, after = (_network(name).state_dict() for name in ("as it is", "no negative biases"))
    differ = {key for key in before if not torch.equal(before[key], after[key])}
    assert len(differ) == 3
    assert all(not after[key].any() and before[key].max() <= -1.5 for key in differ)


def test_the_mean_alone_ignores_the_maximum() -> None:
    head = Presence(channels=4, classes=7)
    features = torch.randn(1, 4, 2, 2, 2)
    brighter = features.clone()  # of the same mean
    brighter[0, :, 0, 0, 0] += 9
    brighter[0, :, 1, 1, 1] -= 9
    with VARIANTS["presence pools the mean alone"][1]():
        torch.testing.assert_close(head(features), head(brighter))
    assert not torch.allclose(head(features), head(brighter))


def test_a_short_run_at_the_patch_s_end_is_dropped() -> None:
    mill = Mill(embed=4, classes=3, slices=8, slice_mm=12.0, min_run_mm=15.0, max_run_mm=95.0, enabled=True)
    runs = torch.zeros(1, 2, 8, dtype=torch.bool)
    runs[0, 0, 0] = True  # 12 mm at the end
    runs[0, 1, 2:5] = True
    assert mill.plausible(runs).flatten().tolist() == [True, True]
    with VARIANTS["cut runs must be long"][1]():
        assert mill.plausible(runs).flatten().tolist() == [False, True]


def test_the_logit_outside_an_instance_is_put_back() -> None:
    with VARIANTS["S~ is 0 outside an instance"][1]():
        assert deviations.tokens.OUTSIDE_LOGIT == 0
    assert deviations.tokens.OUTSIDE_LOGIT == -6


def test_background_wins_where_it_is_the_best_class() -> None:
    classes = np.array([[0.6, 0.4, 0.0], [0.2, 0.1, 0.7], [0.0, 1.0, 0.0]], np.float16)
    posterior = Posterior(
        spine=np.array([[[0.9, 0.9, 0.1]]], np.float16),
        index=np.arange(3),
        classes=classes,
        localisation=np.zeros((3, 1), np.float32),
        embeddings=np.zeros((0, 0), np.float32),
        embedding_classes=np.zeros(0, np.int64),
    )
    assert raw_labels(posterior, threshold=0.5).ravel().tolist() == [1, 2, 0]
    assert background_competes(posterior, threshold=0.5).ravel().tolist() == [0, 2, 0]


def test_differences_are_taken_seed_by_seed() -> None:
    rows = [("as it is", 0, 0.5), ("as it is", 1, 0.7), ("two decoders", 0, 0.6), ("two decoders", 1, 0.6)]
    frame = pd.DataFrame(rows, columns=["variant", "seed", "dice"]).assign(binary_dice=0.9, id_rate=0.8)
    assert "| two decoders | 2 | 0.600 | +0.000 (-0.100 to +0.100) | 0.900 | 0.800 |" in table(frame)
