"""Is the Snakemake that locked this folder dead (killed -9, or the machine went down)? Then unlocks it.

The Snakefile does so before every run (`unlock`), so that after any death the same command goes on where it stopped.
Snakemake's locks do not say whose they are: `.snakemake/locked-by` holds the name of the machine that took them. They
stay where the owner cannot be seen (another machine, another user's processes), and while a job of the dead run still
works here: it would write beside the new one.
"""

import os
import socket
from itertools import pairwise
from pathlib import Path

import psutil


def unlock(folder: Path) -> None:
    """Remove the locks of a dead run of this machine, and note that the next ones are this machine's."""
    state = folder / ".snakemake"
    owner = state / "locked-by"
    locks = [path for path in (state / "locks").glob("*") if path.is_file()]
    here = socket.gethostname()
    if locks and (not owner.is_file() or owner.read_text(encoding="utf-8") != here or alive(folder)):
        return
    for path in locks:
        path.unlink(missing_ok=True)
    state.mkdir(exist_ok=True)
    owner.write_text(here, encoding="utf-8")


def alive(folder: Path) -> bool:
    """Whether another Snakemake of this machine, or a job that one left behind, works in `folder`."""
    own = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    for process in psutil.process_iter(["cmdline", "pid"]):
        words = [Path(word).name for word in process.info["cmdline"] or []]
        known = {"snakemake", "snakemake.__main__"} & set(words[:4]) or ("-m", "siil") in pairwise(words)
        if process.info["pid"] in own or not known:
            continue
        try:
            if Path(process.cwd()) == folder:
                return True
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            return True
    return False


if __name__ == "__main__":
    unlock(Path.cwd())
