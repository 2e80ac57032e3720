"""`siil relabel`: a reader settles which vertebrae a predicted scan shows, and every output says the same afterwards.

Not a step of the pipeline. Read -> names by place (siil.inference.results, count) -> all files anew (siil.inference.
relabel, siil.report.pictures) -> swap (siil.run.swap). Neither the scan nor the network is needed.
"""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from siil.config import Config
from siil.datasets.levels import Known, read_at, read_levels, read_name
from siil.errors import ConfigError, InputError, message
from siil.run import files, provenance, swap

if TYPE_CHECKING:
    from siil.inference.answer import Answer
    from siil.inference.results import Request, Result
    from siil.scan.grid import Volume

log = logging.getLogger(__name__)
SECTIONS = ("dataset.preprocess",)
_RUN = "run.json"


def relabel(
    *,
    config: Config,
    result: Annotated[Path, typer.Argument(help="result folder of a scan, a file of it, or a folder of such folders")],
    first: Annotated[str, typer.Option(help="the uppermost vertebra, e.g. T10")] = "",
    last: Annotated[str, typer.Option(help="the lowest vertebra, e.g. L5")] = "",
    at: Annotated[list[str], typer.Option(help="Z_MM=LEVEL, e.g. -123.4=L3, repeatable; Z_MM as body_z_mm")] = [],  # noqa: B006
    shift: Annotated[int | None, typer.Option(help="all names by so many levels, e.g. -1; +1: T12 becomes L1")] = None,
    rival: Annotated[int | None, typer.Option(help="take the names of this rival of _scan.json, from 1")] = None,
    levels: Annotated[Path | None, typer.Option(help="for many: table of scan, level, z_mm, first, last")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="take the .before files back")] = False,
    discard: Annotated[bool, typer.Option("--discard", help="remove the .before files")] = False,
) -> None:
    """Settle the count of the vertebrae of a scan that `siil predict` read. Research use only, not a medical device.

    Label map, centroids, table, facts, preview, viewer and DICOM-SEG get the new names; run.json keeps the trail. What
    they were stays beside them as .before until --discard; --undo takes it back. The count goes on from what is said
    (--first, --last, --at, also together) along the ordinary order, L1 after T12; T13 and L6 are counted where they are
    named. --at takes the vertebra whose body lies at this height, LPS millimetres as body_z_mm of _vertebrae.tsv. A
    folder of results takes its levels.tsv, or that of --levels (docs/results.md).
    """
    from siil.inference.answer import not_done, table
    from siil.inference.results import Request, find_results

    request = Request(Known(first and read_name(first, "--first"), last and read_name(last, "--last"), _heights(at)))
    request = Request(request.known, shift, rival)
    ways = [bool(request.known.words()), shift is not None, rival is not None, levels is not None, undo]
    if sum([*ways, undo and discard]) > 1:
        raise ConfigError("expected one of: --first, --last and --at; --shift; --rival; --levels; --undo; got several")
    found = find_results(result)
    if not any(ways) and not discard and (result / "levels.tsv").is_file():
        levels = result / "levels.tsv"
    if undo:
        asked = [(one, request) for one in _kept(found, result)]
    else:
        asked = _of_table(levels, found, result) if levels else [(one, request) for one in found]
    if not discard and not undo and not levels:
        _one_of(found, request, result)
    answers: list[Answer] = []
    for one, said in asked:
        try:
            answers.append(_undo_one(one) if undo else _relabel_one(one, said, config))
            if discard:
                _discard(one)
            typer.echo(answers[-1].line)
        except Exception as error:  # whatever one result brings up, the others are done
            if len(asked) == 1:
                raise
            answers.append(not_done(error, Path(one.name)))
            log.error("%s: %s", one.name, answers[-1].error, exc_info=message(error) is None)
    if len(answers) > 1:
        typer.echo(table(answers))
    if failed := [answer.scan for answer in answers if answer.error]:
        raise InputError(f"{len(failed)} of {len(answers)} results were not relabelled: {', '.join(failed)}")


def _one_of(found: list[Result], request: Request, where: Path) -> None:
    """Refuse to say nothing, or one thing of several scans."""
    if not request.words:
        raise ConfigError("expected --first, --last, --at, --shift, --rival, --levels, --undo or --discard, got none")
    if len(found) > 1:
        names = ", ".join(one.name for one in found[:8])
        raise InputError(f"{where}: holds {len(found)} results ({names}); give one of them, or --levels")


def _kept(found: list[Result], where: Path) -> list[Result]:
    """Of the results those whose files of before are there."""
    from siil.inference.results import result_names

    for one in found:
        swap.finish(one.folder, one.name, last=_RUN)  # of a relabelling that was killed
    kept = [one for one in found if swap.kept(one.folder, result_names(one.name))]
    if not kept:
        raise InputError(f"{where}: expected .before files to take back, got none; nothing is relabelled, or --discard")
    return kept


def _heights(at: list[str]) -> tuple[tuple[float, str], ...]:
    return tuple(read_at(text, "--at") for text in at)


def _of_table(levels: Path, found: list[Result], where: Path) -> list[tuple[Result, Request]]:
    """The results that the table names, with what it says; those that are not there, or twice, are refused."""
    from siil.inference.results import Request

    by_name: dict[str, list[Result]] = {}
    for one in found:
        by_name.setdefault(one.name, []).append(one)
    said = read_levels(levels)
    missing = [name for name in said if name not in by_name]
    if missing:
        raise InputError(f"{levels}: {where} holds no result of {', '.join(missing[:8])}; mend the names or the folder")
    double = [name for name in said if len(by_name[name]) > 1]
    if double:
        raise InputError(f"{levels}: {where} holds several results of {', '.join(double[:8])}; give the folder of one")
    return [(by_name[name][0], Request(known)) for name, known in said.items()]


def _relabel_one(result: Result, request: Request, config: Config) -> Answer:
    """Change the files of one result together; the answer that they hold then."""
    from siil.inference.answer import answer_of
    from siil.inference.outputs import read_answer, write_answer
    from siil.inference.relabel import facts_by_hand, relabelled, renamed
    from siil.inference.results import places_of, settle

    folder, name = result.folder, result.name
    if (folder / f"{name}_seg.run.json").exists():
        raise InputError(f"{folder}: {name} was made by the pipeline's test, whose files stay as they are")
    ended = swap.finish(folder, name, last=_RUN)  # of a relabelling that was killed
    seg, findings, facts = read_answer(folder, name=name)
    if not request.words or ended == request.words:
        return answer_of(facts, scan=name, folder=folder)
    if not findings:
        raise InputError(f"{folder}: no vertebra was found in {name}, so there is nothing to count")
    places = places_of(facts)
    names = settle(request, places, findings, facts["rivals"])
    new = {finding.name: names[places.index(finding.name)] for finding in findings}
    seg = relabelled(seg, new)
    findings, before = renamed(findings, new, seg), facts["enumeration"]
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    facts = facts_by_hand(facts, findings, places, names, by=request.words, when=when)
    with swap.making(folder, name) as made:
        write_answer(seg, findings, facts, made, name=name)
        _others(made, result, new, (seg, findings, facts), config)
        _trail(made, result, {"by": request.words, "from": before, "to": facts["enumeration"], "when": when})
        swap.commit(made, folder, name, request=request.words, last=_RUN)
    return answer_of(facts, scan=name, folder=folder)


def _undo_one(result: Result) -> Answer:
    """Take the files of before back, together; the answer that they hold."""
    from siil.inference.answer import answer_of
    from siil.inference.outputs import read_answer
    from siil.inference.results import result_names

    folder, name = result.folder, result.name
    names = result_names(name)
    with swap.making(folder, name) as made:
        swap.take_back(made, folder, names)
        try:
            _, _, facts = read_answer(made, name=name)
        except InputError:
            raise InputError(f"{folder}: the .before files of {name} are not whole; predict the scan again") from None
        _shorter(made, result, facts.get("corrected"))
        swap.commit(made, folder, name, request="--undo", last=_RUN)
    swap.forget(folder, name, names)
    return answer_of(facts, scan=name, folder=folder)


def _others(made: Path, result: Result, new: dict[str, str], answer: tuple[Volume, Any, Any], config: Config) -> None:
    """The files that a result may have beside its answer."""
    from siil.inference import slicer
    from siil.inference.dicom_seg import rename_segments
    from siil.inference.relabel import relabelled
    from siil.report.pictures import draw_again, read_page

    folder, name = result.folder, result.name
    seg, findings, facts = answer
    page = folder / f"{name}_viewer.html"
    shown = read_page(page.read_text(encoding="utf-8"), set(new)) if page.is_file() else None
    if shown is not None:
        both = (shown[0], relabelled(shown[1], new))
        draw_again(made, facts, findings, both, settings=config.dataset.preprocess, folder=folder)
    else:
        old = [path for path in (folder / f"{name}_preview.png", page) if path.is_file()]
        for path in old:
            swap.give_up(made, path.name)
        log.warning(
            "%s: preview and viewer are not drawn anew, for %s holds no scan; predict makes them again", name, page
        )
    if (folder / f"{name}_seg.dcm").is_file():
        rename_segments(folder / f"{name}_seg.dcm", made / f"{name}_seg.dcm", new)
    if any((folder / f"{name}_{kind}").is_file() for kind in slicer.KINDS):
        slicer.write_slicer(seg, findings, made, name=name)
    for path in made.iterdir():
        if not (folder / path.name.removesuffix(swap.GONE)).exists():
            path.unlink()  # what the result had not it does not get: --undo would leave it


def _trail(made: Path, result: Result, step: dict[str, Any]) -> None:
    """The run record with one more correction; that of another scan in the same folder stays as it is."""
    entry, path = _record_of(result), result.folder / _RUN
    if not entry:
        log.warning("%s: %s is not of this scan, so the correction stands in _scan.json alone", result.name, path)
        return
    step |= {"code": provenance.code_digest("relabel"), "revision": provenance.git_revision()}
    files.write_json(made / _RUN, {**entry, "relabelled": [*entry.get("relabelled", []), step]})


def _shorter(made: Path, result: Result, last: dict[str, Any] | None) -> None:
    """The run record without the corrections that are taken back. last: the one that stays, of _scan.json."""
    entry = _record_of(result)
    steps = entry.pop("relabelled", [])
    keys = ("by", "to", "when")
    if last:
        fitting = [n for n, step in enumerate(steps) if [step[key] for key in keys] == [last[key] for key in keys]]
        entry["relabelled"] = steps[: fitting[-1] + 1] if fitting else []
    if entry:
        files.write_json(made / _RUN, entry)


def _record_of(result: Result) -> dict[str, Any]:
    """The run record where it is of this scan; else empty."""
    path = result.folder / _RUN
    try:
        entry = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError:
        entry = {}
    return entry if entry.get("scan") == result.name else {}


def _discard(result: Result) -> None:
    from siil.inference.results import result_names

    gone = swap.forget(result.folder, result.name, result_names(result.name))
    log.info("%s: %d files of before were removed", result.name, len(gone))
