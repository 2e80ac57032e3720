"""From image space to tokens and back."""

from __future__ import annotations

import torch
from einops import rearrange
from torch.nn import functional

from siil.model.tokens import (
    OUTSIDE_LOGIT,
    FlatSlices,
    InstanceMap,
    InstanceTokens,
    PooledSlices,
    SemanticMap,
    SliceTokens,
)

F = torch.randn(2, 3, 10, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def localisation() -> torch.Tensor:
    L = torch.zeros(2, 4, 10, dtype=torch.bool)
    L[:, 0] = True
    L[0, 1, 2:6] = True
    L[0, 3, 7:] = True
    L[1, 2, [0, 1, 4]] = True  # an annotation with a gap: its slices count, in order
    return L


def instance_tokens() -> InstanceTokens:
    torch.manual_seed(0)
    return InstanceTokens(inputs=3 * 4 * 2, embed=5).double()


def flat(features: torch.Tensor) -> torch.Tensor:
    return FlatSlices(channels=3, token_channels=3, side_vox=(4, 2))(features)


def test_s1_is_a_linear_map_of_the_instances_slices_pooled_to_eight() -> None:
    tokens, L = instance_tokens(), localisation()
    found = tokens(flat(F), L)
    # The map as one matrix [E, c * 8 * y * x], the way the paper says it: pool, flatten, project.
    whole = rearrange(tokens.project.weight, "(o e) (c p) -> e (c o p)", o=8, c=3)
    for sample, row in ((0, 0), (0, 1), (0, 3), (1, 2)):
        slices = F[sample][:, L[sample, row]]
        pooled = functional.adaptive_avg_pool3d(slices, (8, 4, 2)).flatten()
        torch.testing.assert_close(found[sample, row], whole @ pooled + tokens.bias)
    assert not found[0, 2].any()


def test_s1_depends_on_the_slices_of_its_instance_and_on_no_other() -> None:
    tokens, L = instance_tokens(), localisation()
    before = tokens(flat(F), L)[0, 1]
    outside, inside = F.clone(), F.clone()
    outside[0, :, :2] += 1  # slices 0 and 1, which an index of zeros and ones would pick
    outside[0, :, 6:] += 1
    inside[0, :, 5] += 1
    assert torch.equal(tokens(flat(outside), L)[0, 1], before)
    assert not torch.allclose(tokens(flat(inside), L)[0, 1], before)


def test_slice_tokens_see_one_slice_each() -> None:
    tokens = SliceTokens(inputs=3 * 4 * 2, embed=5).double()
    changed = F.clone()
    changed[:, :, 3] += 1
    differs = (tokens(flat(changed)) != tokens(flat(F))).any(2)
    assert differs.any(0).tolist() == [False] * 3 + [True] + [False] * 6


def test_s_tilde_is_written_to_its_slices_and_is_minus_six_elsewhere() -> None:
    maps, L = InstanceMap(side_vox=(4, 2), embed=5, dot=False).double(), localisation()
    S3 = torch.randn(2, 4, 5, dtype=torch.float64)
    found = maps(S3, L, torch.randn(2, 5, 10, 4, 2, dtype=torch.float64))
    blocks = rearrange(maps.norm_out(maps.project(maps.norm(S3))), "b k (o y x) -> b k o y x", o=8, y=4)
    expected = functional.interpolate(
        rearrange(blocks[0, 1], "o y x -> 1 (y x) o"), size=4, mode="linear", align_corners=False
    )
    torch.testing.assert_close(rearrange(found[0, 1, 2:6], "n y x -> 1 (y x) n"), expected)
    assert (found[0, 1, :2] == OUTSIDE_LOGIT).all()
    assert (found[0, 1, 6:] == OUTSIDE_LOGIT).all()
    assert (found[:, 0] == OUTSIDE_LOGIT).all(), "background is a token of the attention and nothing else"
    assert (found[0, 2] == OUTSIDE_LOGIT).all()


def test_with_dot_an_instance_adds_its_product_with_the_features_of_each_voxel_of_its_slices() -> None:
    maps, L = InstanceMap(side_vox=(4, 2), embed=3, dot=True).double(), localisation()
    S3 = torch.randn(2, 4, 3, dtype=torch.float64)
    assert maps.query is not None
    query = maps.query(maps.norm(S3))[0, 3]
    found, plain = maps(S3, L, F), maps(S3, L, torch.zeros_like(F))
    expected = query @ F[0, :, 8, 3, 1] / 3**0.5
    torch.testing.assert_close(found[0, 3, 8, 3, 1] - plain[0, 3, 8, 3, 1], expected)
    assert (found[0, 3, :7] == OUTSIDE_LOGIT).all()
    assert (found[:, 0] == OUTSIDE_LOGIT).all()


def test_pooled_slices_are_mean_and_maximum_wherever_the_spine_lies() -> None:
    rows = PooledSlices(channels=3)
    torch.testing.assert_close(rows(F)[1, 4], torch.cat([F[1, :, 4].mean((1, 2)), F[1, :, 4].amax((1, 2))]))
    assert rows.size == rows(F).shape[2] == 6
    torch.testing.assert_close(rows(F.roll((1, 1), (3, 4))), rows(F))


def test_the_biases_of_the_maps_start_negative() -> None:
    assert (SemanticMap(side_vox=(4, 2), embed=5, dot=False).norm_out.bias == -1.5).all()
    assert (InstanceMap(side_vox=(4, 2), embed=5, dot=True).norm_out.bias == -2.5).all()


def test_r_tilde_has_a_slice_per_token() -> None:
    maps = SemanticMap(side_vox=(4, 2), embed=3, dot=False).double()
    R3 = torch.randn(2, 10, 3, dtype=torch.float64)
    expected = maps.norm_out(maps.project(maps.norm(R3[1, 7]))).view(4, 2)
    torch.testing.assert_close(maps(R3, F)[1, 0, 7], expected)


def test_with_dot_a_slice_adds_its_product_with_the_features_of_each_of_its_voxels() -> None:
    maps = SemanticMap(side_vox=(4, 2), embed=3, dot=True).double()
    R3 = torch.randn(2, 10, 3, dtype=torch.float64)
    assert maps.query is not None
    added = maps(R3, F) - maps(R3, torch.zeros_like(F))
    torch.testing.assert_close(added[1, 0, 7, 2, 1], maps.query(maps.norm(R3))[1, 7] @ F[1, :, 7, 2, 1] / 3**0.5)
