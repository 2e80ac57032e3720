"""Attention blocks of the two token streams (docs/method.md): Ms and Mc of the paper's figure.

Pre-norm residual blocks. Keys and values carry no bias: softmax cancels that of the keys (it would never get a
gradient), the output projection's bias holds that of the values.
"""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head attention with masked keys."""

    def __init__(self, *, embed: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(embed, embed)
        self.key_value = nn.Linear(embed, 2 * embed, bias=False)
        self.out = nn.Linear(embed, embed)

    def forward(
        self,
        queries: Float[Tensor, "B n E"],
        tokens: Float[Tensor, "B m E"],
        present: Bool[Tensor, "B m"] | None = None,
    ) -> Float[Tensor, "B n E"]:
        """Attend from `queries` to those `tokens` that are `present` (None: all). At least one must be, per sample."""
        query = rearrange(self.query(queries), "b n (h e) -> b h n e", h=self.heads)
        key, value = rearrange(self.key_value(tokens), "b m (two h e) -> two b h m e", two=2, h=self.heads)
        mask = None if present is None else rearrange(present, "b m -> b 1 1 m")
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.out(rearrange(mixed, "b h n e -> b n (h e)"))


class FeedForward(nn.Module):
    """LayerNorm, then an MLP four times as wide, added to its input."""

    def __init__(self, *, embed: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed)
        self.widen = nn.Linear(embed, 4 * embed)
        self.narrow = nn.Linear(4 * embed, embed)

    def forward(self, tokens: Float[Tensor, "B n E"]) -> Float[Tensor, "B n E"]:
        return tokens + self.narrow(functional.gelu(self.widen(self.norm(tokens))))


class SelfAttention(nn.Module):
    """Ms: tokens + Attention(LN(tokens)). One norm: a second one on the keys would see the same tokens."""

    def __init__(self, *, embed: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(embed)
        self.attention = Attention(embed=embed, heads=heads)

    def forward(
        self, tokens: Float[Tensor, "B n E"], present: Bool[Tensor, "B n"] | None = None
    ) -> Float[Tensor, "B n E"]:
        normed = self.norm(tokens)
        return tokens + self.attention(normed, normed, present)


class CrossAttention(nn.Module):
    """Mc: tokens + Attention(queries = LN(Q), keys and values = LN(tokens)).

    The *keys' side* is the running stream, as in the paper's figure; there is one query per token of the stream.
    """

    def __init__(self, *, embed: int, heads: int) -> None:
        super().__init__()
        self.norm_queries = nn.LayerNorm(embed)
        self.norm_tokens = nn.LayerNorm(embed)
        self.attention = Attention(embed=embed, heads=heads)

    def forward(
        self,
        tokens: Float[Tensor, "B n E"],
        queries: Float[Tensor, "B n E"],
        present: Bool[Tensor, "B n"] | None = None,
    ) -> Float[Tensor, "B n E"]:
        return tokens + self.attention(self.norm_queries(queries), self.norm_tokens(tokens), present)


class InstanceStack(nn.Module):
    """S1 -> S2 and S2 -> S3: two cross-attention blocks with queries Q, then four self-attention blocks, MLP in each.

    Keys and values are those of the running S, present instances only.
    """

    def __init__(self, *, embed: int, heads: int, interaction: bool, cross: int = 2, own: int = 4) -> None:
        super().__init__()
        self.interaction = interaction
        self.cross = nn.ModuleList([CrossAttention(embed=embed, heads=heads) for _ in range(cross)])
        self.own = nn.ModuleList([SelfAttention(embed=embed, heads=heads) for _ in range(own)])
        self.mlps = nn.ModuleList([FeedForward(embed=embed) for _ in range(cross + own)])

    def forward(
        self, S: Float[Tensor, "B K E"], Q: Float[Tensor, "B K E"], present: Bool[Tensor, "B K"]
    ) -> Float[Tensor, "B K E"]:
        """Rows of absent instances are computed, but nothing attends to them and nothing may read them."""
        mlps = iter(self.mlps)
        for block in self.cross:
            S = next(mlps)(block(S, Q if self.interaction else S, present))
        for block in self.own:
            S = next(mlps)(block(S, present))
        return S


class PrototypeAttention(nn.Module):
    """R2 -> R3: one cross-attention per prototype, in sequence (queries R_P, keys and values the running R), an MLP."""

    def __init__(self, *, embed: int, heads: int, prototypes: int, interaction: bool) -> None:
        super().__init__()
        self.interaction = interaction
        self.cross = nn.ModuleList([CrossAttention(embed=embed, heads=heads) for _ in range(prototypes)])
        self.mlp = FeedForward(embed=embed)

    def forward(self, R: Float[Tensor, "B z E"], R_P: Float[Tensor, "B z k E"]) -> Float[Tensor, "B z E"]:
        for block, queries in zip(self.cross, R_P.unbind(dim=2), strict=True):
            R = block(R, queries if self.interaction else R)
        return self.mlp(R)
