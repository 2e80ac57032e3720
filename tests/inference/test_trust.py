"""What of a network's own answer may teach it, on a column of voxels worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from siil.anatomy import BY_NAME, UNLABELLED, UNNAMED
from siil.config import resolve
from siil.inference.enumeration import EMPTY, Level, Sequence
from siil.inference.posterior import Posterior
from siil.inference.trust import trusted_labels

L1, L2, L3 = (BY_NAME[name].index for name in ("L1", "L2", "L3"))
TRUST = resolve("demo").adapt.trust.model_copy(
    update={"background": 0.1, "spine": 0.7, "confidence": 0.9, "agreement": 0.6}
)


def column(values: list[int], dtype: type = np.uint8) -> np.ndarray:
    """[Z, 1, 1], from below."""
    return np.array(values, dtype)[:, None, None]


def posterior(spine: list[float]) -> Posterior:
    nothing = np.zeros((0, 0), np.float32)
    return Posterior(column(spine, np.float16), np.zeros(0, np.int64), nothing, nothing, nothing, np.zeros(0, np.int64))


def sequence(*, uncertain: bool = False, confidence: float = 0.99) -> Sequence:
    levels = tuple(
        Level(index, 0.0, 9.0, confidence if index == L2 else 0.99, cut=False, expected_mm=9.0, network=index)
        for index in (L1, L2, L3)
    )
    return Sequence(levels, EMPTY.candidates, 9.0, 0.0, uncertain, "", 1.0, True, True)


SPINE = [0.05, 0.3, 0.8, 0.9, 0.9, 0.9, 0.9, 0.9, 0.5, 0.05]
DECODED = [0, 0, L2, L2, L2, L1, L1, L1, L1, 0]
NAMED = [0, UNLABELLED, L2, L2, UNNAMED, UNNAMED, L1, L1, UNLABELLED, 0]
"""Sure of background below 0.1 and of spine above 0.7, and no name where two vertebrae touch."""


def labels(raw: list[int] = DECODED, *, settled: bool = False, **about: object) -> list[int]:
    found = trusted_labels(
        posterior(SPINE),
        column(raw),
        column(DECODED),
        sequence(**about),  # type: ignore[arg-type]
        settled=settled,
        trust=TRUST,
    )
    assert found.dtype == np.uint8
    return found.ravel().tolist()


def test_what_is_sure_keeps_its_name_and_what_lies_between_teaches_nothing():
    assert labels() == NAMED


def test_a_scan_whose_count_is_in_doubt_teaches_shape_and_no_name():
    assert labels(uncertain=True) == [value if value in (0, UNLABELLED) else UNNAMED for value in NAMED]


def test_a_person_who_settled_the_count_outweighs_every_doubt():
    assert labels(raw=[L3] * 10, uncertain=True, settled=True) == NAMED


@pytest.mark.parametrize("confidence", [0.5, 0.89])
def test_a_vertebra_that_decoding_is_not_sure_of_has_no_name(confidence: float):
    assert labels(confidence=confidence) == [UNNAMED if value == L2 else value for value in NAMED]


def test_a_vertebra_that_the_network_alone_calls_otherwise_has_no_name():
    """Of L2's three voxels the network calls two L3: a third agrees, 0.6 is asked for."""
    raw = [0, 0, L3, L3, L2, L1, L1, L1, L1, 0]
    assert labels(raw) == [UNNAMED if value == L2 else value for value in NAMED]


def test_spine_that_decoding_gave_to_nobody_is_neither_background_nor_spine():
    found = trusted_labels(
        posterior([0.9, 0.05]), column([0, 0]), column([0, 0]), sequence(), settled=False, trust=TRUST
    )
    assert found.ravel().tolist() == [UNLABELLED, 0]
