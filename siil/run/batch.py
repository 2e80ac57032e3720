"""Many scans in one process (or a few): what is up to date is not made again, and a scan that fails stops no other.

The steps preprocess, pap, adapt, test and evaluate go through such batches. A scan is up to date if its run record
names this code, this configuration, these inputs and outputs by their digests, so a job that died goes on with the scan
it was at.
"""

from __future__ import annotations

import logging
import logging.handlers
import multiprocessing
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siil.errors import InputError, message
from siil.run import checksums, files, provenance
from siil.run.progress import track

log = logging.getLogger(__name__)
NAMED = 5
"""Failed scans whose reason stands in the one line of the error; the others are named."""
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")


@dataclass(frozen=True, slots=True)
class Piece:
    """One scan of a batch.

    name: its case id. record: where its run record lies. config: what of the configuration, and of the case's row in
    cases.tsv, its outputs depend on. make: writes the outputs; gets the record to add to; a function of a module or a
    partial of one, since it may run in another process. passed_on: inputs that later steps read too, so that the
    manifest lists them.
    """

    name: str
    record: Path
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    config: Mapping[str, Any]
    make: Callable[[dict[str, Any]], None]
    passed_on: tuple[Path, ...] = ()


def run_batch(
    stage: str, pieces: Sequence[Piece], *, manifest: Path, processes: int = 1, imports: Sequence[str] = ()
) -> None:
    """Make what is not up to date, then list what was made, with its SHA-256, in `manifest`.

    Args:
        stage: verb of the pipeline.
        pieces: the scans.
        manifest: the list (siil.run.checksums); absent until every scan is done. Its run record lies beside it.
        processes: how many scans at a time, each in a process of its own with one thread.
        imports: modules that take long to load and that every process needs.

    Raises:
        InputError: scans failed. They are named; what the others made is kept, and not made again.
    """
    begin = time.time()
    manifest.unlink(missing_ok=True)
    with ThreadPoolExecutor(max(1, processes)) as pool:
        fresh = pool.map(lambda piece: _is_fresh(stage, piece), pieces)
        waiting = [piece for piece, kept in zip(pieces, fresh, strict=True) if not kept]
    kept = len(pieces) - len(waiting)
    if kept:
        log.info("%s: %d of %d scans are up to date", stage, kept, len(pieces))
    processes = max(1, min(processes, len(waiting)))
    results = _side_by_side(stage, waiting, processes, imports) if processes > 1 else _in_turn(stage, waiting)
    failed, spent = {}, 0.0
    for piece, seconds, failure in track(results, description=stage, total=len(pieces), start=kept):
        spent += seconds
        if failure:
            log.error("%s: %s", piece.name, failure)
            failed[piece.name] = failure
    if failed:
        raise InputError(_refusal(stage, failed, len(pieces)))
    checksums.write(manifest, {path: digest for piece in pieces for path, digest in _digests(piece)})
    work = {"scans": len(pieces), "made": len(waiting), "processes": processes, "scan_seconds": round(spent, 3)}
    about = {"stage": stage, "code": provenance.code_digest(stage), "revision": provenance.git_revision()}
    files.write_json(manifest.with_suffix(".run.json"), about | work | {"seconds": round(time.time() - begin, 3)})


def _is_fresh(stage: str, piece: Piece) -> bool:
    """Is the scan up to date? If not, its run record is deleted, since it describes other outputs."""
    if provenance.up_to_date(
        piece.record, stage=stage, config=piece.config, inputs=piece.inputs, outputs=piece.outputs
    ):
        return True
    piece.record.unlink(missing_ok=True)
    return False


def _digests(piece: Piece) -> Iterator[tuple[Path, str]]:
    for path in (*piece.outputs, *piece.passed_on):
        yield path, provenance.digest(path)


def _refusal(stage: str, failed: Mapping[str, str], total: int) -> str:
    reasons = [f"{name} ({failure.splitlines()[-1]})" for name, failure in list(failed.items())[:NAMED]]
    names = ", ".join([*reasons, *list(failed)[NAMED:]])
    return (
        f"{stage}: {len(failed)} of {total} scans failed: {names}; what the others made is kept: mend or exclude these "
        "and run again"
    )


def _make(stage: str, piece: Piece) -> tuple[float, str]:
    """Seconds, and what went wrong: the line for a user, or the traceback of a bug."""
    begin = time.perf_counter()
    failure = ""
    try:
        with provenance.record(
            piece.record, stage=stage, config=piece.config, inputs=piece.inputs, outputs=piece.outputs
        ) as entry:
            piece.make(entry)
    except Exception as error:
        failure = message(error) or traceback.format_exc().strip()
    return time.perf_counter() - begin, failure


def _in_turn(stage: str, pieces: Sequence[Piece]) -> Iterator[tuple[Piece, float, str]]:
    for piece in pieces:
        yield (piece, *_make(stage, piece))


def _side_by_side(
    stage: str, pieces: Sequence[Piece], processes: int, imports: Sequence[str]
) -> Iterator[tuple[Piece, float, str]]:
    """In several processes of one thread each, forked from one that has loaded what the stage imports."""
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"siil.stages.{stage}", *imports])
    with _logs_of_others(context) as queue:
        pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin, initargs=(queue,))
        try:
            waiting = {pool.submit(_make, stage, piece): piece for piece in pieces}
            for future in as_completed(waiting):
                try:
                    yield (waiting[future], *future.result())
                except BrokenProcessPool:
                    yield waiting[future], 0.0, "not done: a process beside was killed, perhaps for want of memory"
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _logs_of_others(context: Any) -> Iterator[Any]:
    """A queue whose records come to this process's handlers."""
    queue = context.Queue()
    listener = logging.handlers.QueueListener(queue, *logging.getLogger().handlers)
    listener.start()
    try:
        yield queue
    finally:
        listener.stop()


def _begin(queue: Any) -> None:
    """Set up a process of the pool: it logs through the parent, and ends with it even where the parent was killed."""
    root = logging.getLogger()
    root.handlers = [logging.handlers.QueueHandler(queue)]
    root.setLevel(logging.INFO)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=leave, daemon=True).start()
