"""A `conda` for machines without one: a local channel made of what is installed here, and the few commands that
Snakemake calls, solved and installed by py-rattler.

`lay_out(FOLDER)` writes FOLDER/channel, FOLDER/bin/conda and FOLDER/bin/activate; with FOLDER/bin first on PATH,
`snakemake --use-conda` works offline. Every installed distribution is a package of its version, under its name on
conda-forge, that depends on what its metadata asks for and holds links to its own files: what an environment file
does not bring in, directly or by such a dependency, cannot be imported there. The package `python` makes the prefix a
virtual environment of this interpreter; at each start it notes what runs where in $CONDA_STAND_IN_LOG.

Faithful in: files parse, channels and names, pins, creation, activation, reuse. Not in: that conda-forge has builds.
"""

from __future__ import annotations

import asyncio
import bz2
import hashlib
import io
import json
import re
import sys
import tarfile
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from packaging.requirements import Requirement

VERSION = "25.1.0"
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
SITE = f"lib/{PYTHON}/site-packages"
NOTE = (
    "import os, sys; log = os.environ.get('CONDA_STAND_IN_LOG'); "
    "log and open(log, 'a').write(sys.prefix + ' ' + ' '.join(sys.orig_argv[1:4]) + '\\n')\n"
)
ACTIVATE = """\
# sourced by Snakemake: activate PREFIX
export CONDA_PREFIX="$1" CONDA_DEFAULT_ENV="$1" CONDA_SHLVL=1 PATH="$1/bin:$PATH"
hash -r
"""
CONDA = """\
#!{python}
import os, sys
sys.path.insert(0, {root!r})
from tests.workflow.conda_stand_in import main
failure = main(sys.argv[1:], {folder!r})
sys.stdout.flush()
if failure:
    sys.exit(failure)
os._exit(0)  # py-rattler's threads may crash while Python ends
"""
Content = bytes | Path
"""Of a file in a package: its bytes, or what a link points to."""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def lay_out(folder: Path, *, packages: Iterable[str], conda_names: Mapping[str, Iterable[str]]) -> None:
    """Write channel and commands.

    packages: PyPI names of what environments ask for. conda_names: PyPI name -> those on conda-forge.
    """
    from rattler.index import index_fs

    installed = _closure(packages, {normal(d.metadata["Name"]): d for d in metadata.distributions()})
    owners = Counter(prefix for d in installed.values() for prefix in {p for f in _files(d) for p in _prefixes(f)})
    channel = folder / "channel"
    _write_python(channel)
    for name, distribution in installed.items():
        links = {_shortest(file, owners) for file in _files(distribution)}
        files: dict[str, Content] = {f"{SITE}/{link}": distribution.locate_file(link) for link in sorted(links)}
        first, *others = conda_names.get(name, dict.fromkeys((name, distribution.metadata["Name"].lower())))
        needs = {next(iter(conda_names.get(need, (need,)))) for need in _needs(distribution) if need in installed}
        version = distribution.version.partition("+")[0]
        _package(channel, first, version, files, depends=["python", *sorted(needs)], subdir="noarch")
        for other in others:
            _package(channel, other, version, {}, depends=[f"{first} =={version}"], subdir="noarch")
    asyncio.run(index_fs(channel, write_zst=False, write_shards=False, force=True))
    (folder / "bin").mkdir()
    (folder / "bin" / "activate").write_text(ACTIVATE, encoding="utf-8")
    root = str(Path(__file__).resolve().parents[2])
    conda = folder / "bin" / "conda"
    conda.write_text(CONDA.format(python=sys.executable, root=root, folder=str(folder)), encoding="utf-8")
    conda.chmod(0o755)


def _closure(packages: Iterable[str], known: Mapping[str, metadata.Distribution]) -> dict[str, metadata.Distribution]:
    found: dict[str, metadata.Distribution] = {}
    waiting = list(packages)
    while waiting:
        name = waiting.pop()
        if name in known and name not in found:
            found[name] = known[name]
            waiting += _needs(known[name])
    return found


def _files(distribution: metadata.Distribution) -> set[PurePosixPath]:
    paths = {PurePosixPath(str(path)) for path in distribution.files or ()}
    return {path for path in paths if path.parts[0] not in ("..", "__pycache__")}


def _prefixes(file: PurePosixPath) -> list[str]:
    return ["/".join(file.parts[:depth]) for depth in range(1, len(file.parts) + 1)]


def _shortest(file: PurePosixPath, owners: Counter[str]) -> str:
    """The first folder on the way to `file` that no other distribution has files in, else the file."""
    return next((prefix for prefix in _prefixes(file) if owners[prefix] == 1), str(file))


def _needs(distribution: metadata.Distribution) -> set[str]:
    wanted = [Requirement(line) for line in distribution.requires or ()]
    return {normal(need.name) for need in wanted if need.marker is None or need.marker.evaluate({"extra": ""})}


def _write_python(channel: Path) -> None:
    base = Path(sys._base_executable).resolve()
    version = ".".join(map(str, sys.version_info[:3]))
    settings = f"home = {base.parent}\ninclude-system-site-packages = false\nversion = {version}\n"
    files: dict[str, Content] = {
        f"bin/{PYTHON}": base,
        "bin/python": Path(PYTHON),
        "pyvenv.cfg": settings.encode(),
        f"{SITE}/_stand_in.pth": NOTE.encode(),
    }
    _package(channel, "python", version, files, depends=[], subdir="linux-64")


def _package(
    channel: Path, name: str, version: str, files: Mapping[str, Content], *, depends: list[str], subdir: str
) -> None:
    """A conda package of the old format: its files, and what info/ says about them."""
    index: dict[str, Any] = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": depends}
    index |= {"subdir": subdir, "noarch": "generic"} if subdir == "noarch" else {"subdir": subdir}
    about = {
        "info/index.json": json.dumps(index),
        "info/paths.json": json.dumps({"paths_version": 1, "paths": [_entry(*item) for item in files.items()]}),
        "info/files": "\n".join(files),
    }
    path = channel / subdir / f"{name}-{version}-0.tar.bz2"
    path.parent.mkdir(parents=True, exist_ok=True)
    contents = {place: text.encode() for place, text in about.items()} | dict(files)
    with bz2.open(path, "wb", compresslevel=1) as stream, tarfile.open(fileobj=stream, mode="w") as archive:
        for place, content in contents.items():
            entry = tarfile.TarInfo(place)
            if isinstance(content, bytes):
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            else:
                entry.type, entry.linkname = tarfile.SYMTYPE, str(content)
                archive.addfile(entry)


def _entry(place: str, content: Content) -> dict[str, Any]:
    if not isinstance(content, bytes):
        return {"_path": place, "path_type": "softlink"}
    digest = hashlib.sha256(content).hexdigest()
    return {"_path": place, "path_type": "hardlink", "sha256": digest, "size_in_bytes": len(content)}


def main(words: list[str], folder: str) -> int | str:
    """The command; what it cannot do is said and fails."""
    if words[:1] == ["--version"]:
        sys.stdout.write(f"conda {VERSION}\n")
    elif words[:1] == ["info"]:
        about = {"conda_prefix": folder, "root_prefix": folder, "platform": "linux-64", "conda_version": VERSION}
        sys.stdout.write(json.dumps({**about, "envs": [], "channels": []}))
    elif words[:2] == ["config", "--get"]:
        sys.stdout.write(json.dumps({"get": {"channel_priority": "strict"}}))
    elif words[:2] == ["env", "create"]:
        try:
            asyncio.run(_create(Path(_option(words, "--file")), Path(_option(words, "--prefix")), Path(folder)))
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    elif words[:1] != ["clean"]:
        return f"conda stand-in: cannot do {words}"
    return 0


def _option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1]


async def _create(file: Path, prefix: Path, folder: Path) -> None:
    """Solve an environment file against the channel (whatever its channels are called) and install it."""
    from rattler import Channel, ChannelPriority, VirtualPackage, install, solve

    wanted = yaml.safe_load(file.read_text(encoding="utf-8"))
    if "conda-forge" not in wanted.get("channels", ()) or not all(isinstance(d, str) for d in wanted["dependencies"]):
        raise ValueError(f"{file}: expected the channel conda-forge and no pip section")
    records = await solve(
        sources=[Channel((folder / "channel").as_uri())],
        specs=wanted["dependencies"],
        platforms=["linux-64", "noarch"],
        virtual_packages=VirtualPackage.detect(),
        channel_priority=ChannelPriority.Strict,
    )
    await install(records, target_prefix=prefix, cache_dir=folder / "pkgs", show_progress=False)
    (prefix / "conda-meta").mkdir(exist_ok=True)
    (prefix / "conda-meta" / "history").touch()
