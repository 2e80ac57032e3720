"""Which cases train, validate and test: pure functions from the table of cases to lists of case ids.

Step 5 of the pipeline. Patients are never shared between lists. The validation set, on which the best epoch is chosen,
is the release's own or split off training; it is never the test set.

Schemes:
    kfold: patients are dealt into folds, balanced by rare vertebrae, number of vertebrae and regions in view. Each
        fold is the testing list once and a share of the others is its validation list. If the release has a testing
        set of its own, this is the testing list of every fold, and the fold is its validation list.
    official: the release's own split; one fold.
    lists: the source's training.txt and testing.txt; one fold. With one of them, the cases that it does not name are
        the other; without any, patients are dealt as in kfold and `validation_fraction` of them are the testing list.
With `train_only` sources, all this holds for the cases of the others; theirs are in every training list.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siil.anatomy import BY_NAME
from siil.config.schema.dataset import Split
from siil.datasets.cases import Case
from siil.errors import DatasetError
from siil.run import files

log = logging.getLogger(__name__)
_PATIENTS = 3.0
"""Added to the weight of the number of patients, which is 1 as that of every other balanced figure."""
LISTS = ("training", "validation", "testing")


@dataclass(frozen=True, slots=True)
class Fold:
    """Case ids of one fold, each list sorted."""

    training: tuple[str, ...]
    validation: tuple[str, ...]
    testing: tuple[str, ...]


def make_folds(cases: Sequence[Case], *, settings: Split, rare: Sequence[str]) -> list[Fold]:
    """The folds of a dataset. Deterministic: depends on the set of cases, the settings and the seed alone.

    Raises:
        DatasetError: too few patients, a case without a split, an empty list, or a patient in two lists.
    """
    ordered = sorted(cases, key=lambda case: case.case)
    always = [case for case in ordered if case.source in settings.train_only]
    ordered = [case for case in ordered if case.source not in settings.train_only]
    if settings.scheme == "kfold":
        made = _kfold(ordered, settings, rare)
    else:
        single = {"official": _official, "lists": _lists}[settings.scheme]
        made = [single(ordered, settings, rare)]
    made = [
        _fold_ids([*fold.training, *(case.case for case in always)], fold.validation, fold.testing) for fold in made
    ]
    for number, fold in enumerate(made):
        check(fold, [*ordered, *always], name=f"fold {number}")
    return made


def check(fold: Fold, cases: Iterable[Case], *, name: str) -> None:
    """Raise DatasetError when a list is empty or a patient stands in two lists."""
    patient = {case.case: case.patient for case in cases}
    seen: dict[str, str] = {}
    for which in LISTS:
        ids = getattr(fold, which)
        if not ids:
            raise DatasetError(
                f"{name}: the {which} list is empty; name cases in {which}.txt, give more patients, or fewer folds"
            )
        for case in ids:
            other = seen.setdefault(patient[case], which)
            if other != which:
                raise DatasetError(
                    f"{name}: patient {patient[case]} stands in {other} and in {which} (case {case}); keep all scans "
                    "of a patient in one list, or exclude one of them"
                )


def write_fold(folder: Path, fold: Fold) -> None:
    """Write training.txt, validation.txt and testing.txt, a case id a line."""
    for which in LISTS:
        files.write_text(folder / f"{which}.txt", "".join(f"{case}\n" for case in getattr(fold, which)))


def write_sources(path: Path, cases: Iterable[Case], fold: Fold) -> None:
    """Write which source each training case comes from, and what landmarks its mask holds."""
    known = {case.case: (case.source, case.landmarks) for case in cases}
    rows = ("\t".join((case, *known[case])) for case in fold.training)
    files.write_text(path, "".join(f"{row}\n" for row in ("case\tsource\tlandmarks", *rows)))


def read_sources(path: Path) -> dict[str, str]:
    """Case -> source, of the training cases of a fold. Raises DatasetError when the table is missing."""
    return {row[0]: row[1] for row in _rows(path)}


def read_landmarks(path: Path) -> dict[str, tuple[str, ...]]:
    """Case -> the landmarks that its mask holds; a table of an older version tells of none."""
    return {row[0]: tuple(row[2].split()) for row in _rows(path) if len(row) > 2}


def _rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in read_list(path)[1:]]


def read_list(path: Path) -> tuple[str, ...]:
    """Case ids of a list; Windows line ends, blank lines and a byte order mark are fine. Raises DatasetError."""
    if not Path(path).is_file():
        raise DatasetError(f"{path}: expected a list of case ids, got nothing; run the split step")
    lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    return tuple(line.strip() for line in lines if line.strip())


def read_fold(folder: Path) -> Fold:
    """The three lists of a fold's folder."""
    training, validation, testing = (read_list(Path(folder) / f"{which}.txt") for which in LISTS)
    return Fold(training, validation, testing)


def _kfold(cases: Sequence[Case], settings: Split, rare: Sequence[str]) -> list[Fold]:
    held = [case for case in cases if case.split == "testing"]
    rest = [case for case in cases if case.split != "testing"]
    if settings.folds < 2:
        raise DatasetError(f"split.folds is {settings.folds}; kfold needs at least 2")
    parts = _deal(rest, [1 / settings.folds] * settings.folds, rare, settings.seed)
    made = []
    for number, part in enumerate(parts):
        others = [case for other in parts if other is not part for case in other]
        if held:
            made.append(_fold(others, part, held))
        else:
            fraction = settings.validation_fraction
            training, validation = _deal(others, [1 - fraction, fraction], rare, settings.seed + 1 + number)
            made.append(_fold(training, validation, part))
    return made


def _official(cases: Sequence[Case], settings: Split, rare: Sequence[str]) -> Fold:
    strange = [case for case in cases if case.split not in LISTS]
    if strange:
        raise DatasetError(
            f"{len(strange)} cases are in no list of the release (first: {strange[0].case}); expected training, "
            "validation or testing; exclude them, or use split.scheme kfold"
        )
    groups = _groups(cases)
    return _with_validation(groups["training"], groups["validation"], groups["testing"], settings, rare)


def _lists(cases: Sequence[Case], settings: Split, rare: Sequence[str]) -> Fold:
    """The user's own lists, and what they leave open."""
    groups = _groups(cases)
    training, testing = groups["training"], groups["testing"]
    unlisted = [case for case in cases if case.split not in LISTS]
    if training and testing:
        if unlisted:
            log.warning("%d cases are in no list and left out (first: %s)", len(unlisted), unlisted[0].case)
    elif testing:
        training = unlisted
    elif training:
        testing = unlisted
    else:
        log.warning("no training.txt and no testing.txt: the %d cases are dealt by split.seed", len(unlisted))
        share = settings.validation_fraction
        training, testing = _deal(unlisted, [1 - share, share], rare, settings.seed + 1)
    return _with_validation(training, groups["validation"], testing, settings, rare)


def _groups(cases: Sequence[Case]) -> dict[str, list[Case]]:
    return {which: [case for case in cases if case.split == which] for which in LISTS}


def _with_validation(
    training: list[Case], validation: list[Case], testing: list[Case], settings: Split, rare: Sequence[str]
) -> Fold:
    """The fold; where there is no validation list, a share of the training cases becomes it."""
    if not validation:
        fraction = settings.validation_fraction
        training, validation = _deal(training, [1 - fraction, fraction], rare, settings.seed)
    return _fold(training, validation, testing)


def _fold(training: Iterable[Case], validation: Iterable[Case], testing: Iterable[Case]) -> Fold:
    return _fold_ids(*([case.case for case in group] for group in (training, validation, testing)))


def _fold_ids(*lists: Iterable[str]) -> Fold:
    return Fold(*(tuple(sorted(ids)) for ids in lists))


def _deal(cases: Sequence[Case], shares: Sequence[float], rare: Sequence[str], seed: int) -> list[list[Case]]:
    """Deal patients into groups of about `shares` of everything that `_features` counts, the hardest first.

    A patient goes where `_cost` grows least, of equals into the first group. Equally hard patients come in an order
    that the seed draws.
    """
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.patient, []).append(case)
    if len(groups) < len(shares):
        raise DatasetError(f"{len(groups)} patients cannot be dealt into {len(shares)} lists; give more patients")
    random = np.random.default_rng(seed)
    names = [sorted(groups)[index] for index in random.permutation(len(groups))]
    features = {name: _features(groups[name], rare) for name in names}
    names.sort(key=lambda name: (-features[name][3 : 3 + len(rare)].sum(), -features[name][2]))
    total = np.maximum(sum(features.values()), 1.0)
    aim = np.outer(shares, total)
    load = np.zeros_like(aim)
    dealt: list[list[Case]] = [[] for _ in shares]
    for left, name in zip(range(len(names), 0, -1), names, strict=True):
        empty = [group for group, cases_in in enumerate(dealt) if not cases_in]
        allowed = empty if len(empty) >= left else range(len(dealt))  # every list gets at least one patient
        cost = {
            group: _cost(load[group] + features[name], aim[group], total) - _cost(load[group], aim[group], total)
            for group in allowed
        }
        best = min(cost, key=lambda group: (round(cost[group], 9), group))
        dealt[best].extend(groups[name])
        load[best] += features[name]
    return dealt


def _cost(load: np.ndarray, aim: np.ndarray, total: np.ndarray) -> float:
    """Over all lists this sum is least when each holds its share of everything counted."""
    terms = load**2 / (aim * total)
    return float(terms.sum() + _PATIENTS * terms[0])


def _features(cases: Sequence[Case], rare: Sequence[str]) -> np.ndarray:
    """What is balanced, of one patient: patients, cases, vertebrae, cases with each rare class, with each region."""
    names = [set(case.vertebrae) for case in cases]
    rare_counts = [sum(name in present for present in names) for name in rare]
    regions = [sum(any(BY_NAME[v].region == region for v in present) for present in names) for region in "CTL"]
    return np.array([1, len(cases), sum(len(present) for present in names), *rare_counts, *regions], float)
