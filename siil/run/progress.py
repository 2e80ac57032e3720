"""Progress of long work: a bar with ETA when a person is looking (a terminal), plain log lines otherwise."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from siil.run.processes import launched

if TYPE_CHECKING:
    from rich.progress import Progress

log = logging.getLogger(__name__)
T = TypeVar("T")


class Laps:
    """Seconds of the parts of one piece of work, one after the other."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def end(self, part: str) -> None:
        """Add the seconds since the last call (at first: since the start) to `part`, which may come several times."""
        now = time.perf_counter()
        self.seconds[part] = round(self.seconds.get(part, 0.0) + now - self._last, 3)
        self._last = now


Told = Callable[[int, int], None]
"""Is told how many parts of a piece of work are done, of how many; 0 begins another piece."""


def untold(done: int, total: int) -> None:
    """A `Told` that shows nothing."""


@contextmanager
def bar(description: str) -> Iterator[Told]:
    """A bar with ETA, in a terminal and of the first process, for work that calls what this yields as it goes on."""
    if not (sys.stderr.isatty() and launched().first):
        yield untold
        return
    with _progress() as progress:
        task = progress.add_task(description, total=None)

        def told(done: int, total: int) -> None:
            if done:
                progress.update(task, completed=done)
            else:
                progress.reset(task, total=total)

        yield told


def track(items: Iterable[T], *, description: str, total: int, every_s: float = 15.0, start: int = 0) -> Iterator[T]:
    """Yield `items` while showing how many of `total` are done and how long the rest takes.

    Args:
        items: what is worked on.
        description: what is shown, for example "train siil fold 0".
        total: number of items with those done before.
        every_s: seconds between two lines when no terminal is there.
        start: number of items that were done before (a resumed run).
    """
    if sys.stderr.isatty():
        yield from _bar(items, description, total, start)
    else:
        yield from _lines(items, description, total, every_s, start)


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _bar(items: Iterable[T], description: str, total: int, start: int) -> Iterator[T]:
    with _progress() as progress:
        task = progress.add_task(description, total=total, completed=start)
        for item in items:
            yield item
            progress.advance(task)


def _lines(items: Iterable[T], description: str, total: int, every_s: float, start: int) -> Iterator[T]:
    begin = last = time.monotonic()
    for count, item in enumerate(items, start=start + 1):
        yield item
        now = time.monotonic()
        if now - last >= every_s or count == total:
            left = (now - begin) / (count - start) * (total - count)
            log.info("%s: %d of %d, %.0f s gone, about %.0f s left", description, count, total, now - begin, left)
            last = now
