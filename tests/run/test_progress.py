"""Progress: a bar on a terminal, nothing or plain lines elsewhere."""

from __future__ import annotations

import io
import sys

import pytest

from siil.run.progress import bar, untold


class Terminal(io.StringIO):
    """Standard error that a person is looking at."""

    def isatty(self) -> bool:
        return True


def test_a_bar_counts_what_is_told_and_begins_anew_at_0(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with bar("scan") as told:
        told(0, 4)
        told(4, 4)
        told(0, 9)
        told(6, 9)
    shown = terminal.getvalue()
    assert "scan" in shown
    assert "6/9" in shown


def test_without_a_terminal_nothing_is_shown(capsys):
    with bar("scan") as told:
        told(0, 4)
        told(4, 4)
    assert told is untold
    assert capsys.readouterr() == ("", "")


def test_the_bar_goes_when_the_work_fails(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with pytest.raises(ZeroDivisionError), bar("scan") as told:
        told(0, 4)
        raise ZeroDivisionError
    with bar("next") as told:  # rich shows one at a time
        told(0, 1)
