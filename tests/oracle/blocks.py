"""Linear maps, norms, attention and the GRU, written out. `p` holds every parameter of the network by its name.

A token is a vector [E]; a stream is a list of tokens.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

Params = Mapping[str, Tensor]
Vector = Float[Tensor, "n"]
Stream = list[Tensor]

EPS = 1e-5
"""Of every norm."""


def linear(p: Params, name: str, x: Vector) -> Vector:
    """W x + b; b where the layer has one."""
    y = p[f"{name}.weight"] @ x
    return y + p[f"{name}.bias"] if f"{name}.bias" in p else y


def layer_norm(p: Params, name: str, x: Vector) -> Vector:
    centred = x - x.mean()
    return centred / (centred.square().mean() + EPS).sqrt() * p[f"{name}.weight"] + p[f"{name}.bias"]


def gelu(x: Vector) -> Vector:
    return x * (1 + torch.erf(x / math.sqrt(2))) / 2


def mlp(p: Params, name: str, x: Vector) -> Vector:
    """x + MLP(LN(x)), ratio 4."""
    return x + linear(p, f"{name}.narrow", gelu(linear(p, f"{name}.widen", layer_norm(p, f"{name}.norm", x))))


def attention(p: Params, name: str, queries: Stream, tokens: Stream, heads: int) -> Stream:
    """What each query finds among the tokens. Heads are consecutive pieces of a token; keys come before values."""
    embed = len(queries[0])
    size = embed // heads
    both = torch.stack([linear(p, f"{name}.key_value", token) for token in tokens])
    keys, values = both[:, :embed].split(size, dim=1), both[:, embed:].split(size, dim=1)
    found = []
    for token in queries:
        query = linear(p, f"{name}.query", token).split(size)
        mixed = []
        for head in range(heads):
            shares = (keys[head] @ query[head] / math.sqrt(size)).softmax(0)
            mixed.append(shares @ values[head])
        found.append(linear(p, f"{name}.out", torch.cat(mixed)))
    return found


def self_attention(p: Params, name: str, stream: Stream, heads: int) -> Stream:
    """Ms: x + Attention(LN(x))."""
    normed = [layer_norm(p, f"{name}.norm", x) for x in stream]
    found = attention(p, f"{name}.attention", normed, normed, heads)
    return [x + y for x, y in zip(stream, found, strict=True)]


def cross_attention(p: Params, name: str, stream: Stream, queries: Stream, heads: int) -> Stream:
    """Mc: x + Attention(LN(query); keys and values LN'(x)), residual on the stream."""
    asked = [layer_norm(p, f"{name}.norm_queries", q) for q in queries]
    normed = [layer_norm(p, f"{name}.norm_tokens", x) for x in stream]
    found = attention(p, f"{name}.attention", asked, normed, heads)
    return [x + y for x, y in zip(stream, found, strict=True)]


def gru_direction(p: Params, name: str, stream: Stream) -> Stream:
    """One layer, one direction: gates reset, update, new, from a state of zeros."""
    w_in, w_state = p[f"{name}.weight_ih_l0"], p[f"{name}.weight_hh_l0"]
    b_in, b_state = p[f"{name}.bias_ih_l0"], p[f"{name}.bias_hh_l0"]
    embed = w_state.shape[1]
    state = w_in.new_zeros(embed)
    states = []
    for x in stream:
        from_x = w_in @ x + b_in
        from_state = w_state @ state + b_state
        reset = (from_x[:embed] + from_state[:embed]).sigmoid()
        update = (from_x[embed : 2 * embed] + from_state[embed : 2 * embed]).sigmoid()
        new = (from_x[2 * embed :] + reset * from_state[2 * embed :]).tanh()
        state = (1 - update) * new + update * state
        states.append(state)
    return states


def gru(p: Params, name: str, stream: Stream, layers: int) -> Stream:
    """Bidirectional: each layer reads both directions of the one below. [2 E] per token."""
    for layer in range(layers):
        upwards = gru_direction(p, f"{name}.upwards.{layer}", stream)
        downwards = gru_direction(p, f"{name}.downwards.{layer}", stream[::-1])[::-1]
        stream = [torch.cat([up, down]) for up, down in zip(upwards, downwards, strict=True)]
    return stream
