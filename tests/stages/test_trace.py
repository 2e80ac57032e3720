"""`siil trace` asks for one thing at a time. On real results: tests/workflow/test_trace.py."""

from __future__ import annotations

import pytest

from siil import config as configuration
from siil.errors import InputError
from siil.stages.trace import SECTIONS, trace


def test_one_of_a_case_and_a_metric_is_wanted(tmp_path) -> None:
    config = configuration.partial(configuration.sections(configuration.resolve("tiny"), SECTIONS))
    for words in ({}, {"case": "a", "metric": "dice"}):
        with pytest.raises(InputError, match="expected a case or --metric"):
            trace(config=config, root=tmp_path, **words)
