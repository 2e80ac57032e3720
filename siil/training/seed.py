"""Seeds: every random number of training is a function of (seed, what it is for, counters), never of what came before.

Step n's batch therefore depends only on the seed and on n: a resumed run draws what an uninterrupted one would have
drawn, and prefetching, the number of processes and the order of the threads change nothing.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What a stream of random numbers is for. Values are part of every result: never renumber."""

    WEIGHTS = 0
    ORDER = 1
    CENTRE = 2
    AUGMENT = 3
    PROTOTYPES = 4
    APPEARANCE = 5
    SHORTEN = 6
    SOURCE = 7
    PERTURB = 8


def generator(seed: int, stream: Stream, *counters: int) -> np.random.Generator:
    """The generator of one stream at one place, for example `generator(seed, Stream.CENTRE, step, sample)`."""
    return np.random.default_rng([seed, int(stream), *counters])


def integer(seed: int, stream: Stream, *counters: int) -> int:
    """A 32-bit seed for libraries that want an integer (torch, k-means)."""
    return int(np.random.SeedSequence([seed, int(stream), *counters]).generate_state(1)[0])
