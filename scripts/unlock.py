"""Unlock this folder if the Snakemake that locked it is dead (killed, or the machine went down); else leave it."""

import os
import subprocess
import sys
from pathlib import Path

import psutil


def alive(folder: Path) -> bool:
    """Whether another Snakemake of this machine works in `folder`."""
    for process in psutil.process_iter(["cmdline", "pid"]):
        words = [Path(word).name for word in process.info["cmdline"] or []]
        if process.info["pid"] == os.getpid() or not {"snakemake", "snakemake.__main__"} & set(words[:4]):
            continue
        try:
            if Path(process.cwd()) == folder:
                return True
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return False


if __name__ == "__main__":
    here = Path.cwd()
    if any((here / ".snakemake" / "locks").glob("*")) and not alive(here):
        sys.exit(subprocess.run(["snakemake", "--unlock", "--quiet", "all"], check=False).returncode)
