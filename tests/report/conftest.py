"""The synthetic results tree, made once for the tests of this folder."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
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


@pytest.fixture(scope="session")
def repeated(results: Results) -> Results:
    """The same with a second training of each model, whose files are not there: single scans are of the first."""
    again = {name: getattr(results, name) for name in ("vertebrae", "scans", "history")}
    return replace(results, **{name: pd.concat([rows, rows.assign(repeat=1)]) for name, rows in again.items()})
