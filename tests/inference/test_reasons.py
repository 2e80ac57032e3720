"""The parts of a score add up to it, and each part holds what it says."""

from __future__ import annotations

import numpy as np
import pytest

from siil.inference.reasons import Parts, parts
from siil.inference.viterbi import Chain, Interval, Lattice
from tests.inference.test_viterbi import all_paths, lattice


@pytest.mark.parametrize("seed", range(3))
def test_the_parts_of_every_path_add_up_to_its_score(seed):
    problem = lattice(seed)
    for n, (score, scale, path) in enumerate(all_paths(problem)):
        if n % 7 == 0:
            assert parts(problem, path, scale).total() == pytest.approx(score)


def test_each_kind_of_nats_is_counted_apart():
    chain = Chain(((), ((0, -3.0),)), np.full((2, 4), -4.0), np.full((2, 4), -5.0), np.zeros(2), np.zeros(2))
    problem = Lattice(
        chain=chain,
        emission=np.array([[1.0, 0], [2, 0], [0, 7]]),
        nothing=np.array([0.5, 0, 0]),
        full=np.full((1, 2, 3), -0.25),
        cut=np.full((1, 2, 3), -0.1),
        border=np.array([0, 0, 6.0, 0]),
        scale=np.array([-0.5]),
    )
    # nothing on bin 0, label 0 on bin 1, label 1 on bin 2 up to the border, where the cut price is the better one
    found = parts(problem, (Interval(0, 1, 2), Interval(1, 2, 3)), 0)
    assert found == Parts(network=0.5 + 2 + 7, sizes=-0.5 - 0.25 - 0.1, discs=6.0, priors=-4.0 - 3.0)
    assert (found - Parts(1, 1, 1, 1)).total() == pytest.approx(found.total() - 4)
