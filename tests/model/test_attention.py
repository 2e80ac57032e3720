"""Attention blocks: masked keys, and norms."""

from __future__ import annotations

import torch

from siil.model.attention import CrossAttention, InstanceStack, PrototypeAttention, SelfAttention


def tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_absent_tokens_are_seen_by_nobody() -> None:
    torch.manual_seed(0)
    stack = InstanceStack(embed=8, heads=2, interaction=True).double()
    S, Q = tokens(1, 5, 8), tokens(1, 5, 8, seed=1)
    present = torch.tensor([[True, True, False, True, False]])
    changed = torch.where(present[..., None], S, 9.0)
    torch.testing.assert_close(stack(S, Q, present)[present], stack(changed, Q, present)[present])
    alone = stack(S[:, [0, 1, 3]], Q[:, [0, 1, 3]], torch.ones(1, 3, dtype=torch.bool))
    torch.testing.assert_close(stack(S, Q, present)[present], alone[0])


def test_self_attention_is_the_textbook_formula() -> None:
    torch.manual_seed(0)
    block = SelfAttention(embed=4, heads=1).double()
    R = tokens(1, 3, 4)
    normed = block.norm(R)[0]
    key, value = block.attention.key_value(normed).chunk(2, dim=1)
    scores = block.attention.query(normed) @ key.T / 2  # square root of the width of a head
    expected = R[0] + block.attention.out(scores.softmax(1) @ value)
    torch.testing.assert_close(block(R)[0], expected)


def test_cross_attention_takes_queries_from_q_and_adds_to_its_stream() -> None:
    torch.manual_seed(0)
    block = CrossAttention(embed=4, heads=1).double()
    S, Q = tokens(1, 3, 4), tokens(1, 3, 4, seed=1)
    key, value = block.attention.key_value(block.norm_tokens(S[0])).chunk(2, dim=1)
    scores = block.attention.query(block.norm_queries(Q[0])) @ key.T / 2
    torch.testing.assert_close(block(S, Q)[0], S[0] + block.attention.out(scores.softmax(1) @ value))


def test_each_prototype_has_its_own_block_and_keys_are_those_of_the_running_stream() -> None:
    torch.manual_seed(0)
    exchange = PrototypeAttention(embed=4, heads=1, prototypes=2, interaction=True).double()
    R, R_P = tokens(1, 3, 4), tokens(1, 3, 2, 4, seed=1)
    first = exchange.cross[0](R, R_P[:, :, 0])
    second = exchange.cross[1](first, R_P[:, :, 1])
    torch.testing.assert_close(exchange(R, R_P), exchange.mlp(second))
