"""The synthetic results tree, made once for the tests of this folder."""

from __future__ import annotations

import pytest

from siil.config import resolve
from siil.report.results import Results, read_results
from tests.report.synthetic import FOLDS, MODELS, Tree, make_results


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Never written to by a test."""
    return make_results(tmp_path_factory.mktemp("synthetic"))


@pytest.fixture(scope="session")
def results(tree: Tree) -> Results:
    """The tree as figures and report read it."""
    return read_results(
        aggregate=tree.aggregate,
        results=tree.results,
        data=tree.data,
        models=MODELS,
        folds=FOLDS,
        settings=resolve("demo").report,
    )
