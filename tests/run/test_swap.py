"""Files of one result change together: the old ones are kept once, and a change that was killed is ended."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from siil.run import swap


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def change(folder: Path, request: str, gone: tuple[str, ...] = (), **texts: str) -> None:
    with swap.making(folder, "x") as made:
        for name, text in texts.items():
            (made / name).write_text(text)
        for name in gone:
            swap.give_up(made, name)
        swap.commit(made, folder, "x", request=request, last="run")


@pytest.fixture
def folder(tmp_path) -> Path:
    for name in ("a", "b", "run"):
        (tmp_path / name).write_text(f"{name}0")
    return tmp_path


def test_the_first_version_of_each_file_is_kept_beside_it(folder):
    change(folder, "one", a="a1", c="c1", run="run1")
    assert content(folder) == {"a": "a1", "a.before": "a0", "b": "b0", "c": "c1", "run": "run1"}
    change(folder, "two", a="a2", b="b2", run="run2")
    assert content(folder) == {"a": "a2", "a.before": "a0", "b": "b2", "b.before": "b0", "c": "c1", "run": "run2"}


def test_a_file_without_a_new_version_goes_and_is_kept_beside(folder):
    change(folder, "one", gone=("b",), a="a1", run="run1")
    assert content(folder) == {"a": "a1", "a.before": "a0", "b.before": "b0", "run": "run1"}


def test_nothing_happens_before_all_is_made(folder):
    with pytest.raises(ZeroDivisionError), swap.making(folder, "x") as made:
        (made / "a").write_text("a1")
        raise ZeroDivisionError
    assert content(folder) == {"a": "a0", "b": "b0", "run": "run0"}


@pytest.mark.parametrize("steps", range(6))
def test_a_change_that_was_killed_anywhere_is_ended_by_the_next(folder, monkeypatch, steps):
    """Killed before the `steps`-th file takes its place (the request and the two backups are such steps too)."""
    count = []
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if len(count) == steps:
            raise KeyboardInterrupt
        count.append(target)
        return real(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        try:
            change(folder, "one", a="a1", b="b1", run="run1")
        except KeyboardInterrupt:
            pass
        else:
            raise AssertionError("it was to be killed")
    assert (folder / "run").read_text() == "run0"  # the record goes last: where it is new, all is
    asked = swap.finish(folder, "x", last="run")
    assert asked == ("one" if steps else None)  # before the request was written nothing had happened
    end = {"a": "a1", "a.before": "a0", "b": "b1", "b.before": "b0", "run": "run1"}
    assert content(folder) == (end if steps else {"a": "a0", "b": "b0", "run": "run0"})
    assert swap.finish(folder, "x", last="run") is None


def test_what_a_killed_process_was_making_is_removed_by_the_next(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 999_999_999)  # above any limit: of no process that lives
        patch.setattr("shutil.rmtree", lambda *_, **__: None)
        with swap.making(folder, "x") as left:
            pass
    assert left.is_dir()
    with swap.making(folder, "x"):
        assert not left.exists()


def test_what_was_kept_is_forgotten_on_request(folder):
    change(folder, "one", a="a1", run="run1")
    (folder / "z.before").write_text("another's")
    assert swap.forget(folder, "x", ["a", "b"]) == [folder / "a.before"]
    assert content(folder) == {"a": "a1", "b": "b0", "run": "run1", "z.before": "another's"}
