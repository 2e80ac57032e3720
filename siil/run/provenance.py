"""Where an artefact comes from: the digest of the code behind a stage, and the run record beside each artefact.

`code_digest("train")` hashes the import closure of `siil.stages.train`: every module of the package that it can reach,
without comments, docstrings and formatting, and the assets (templates, scripts) of the packages among them. Snakemake's
rules carry it in `params`, because a shell rule is not rerun when the package behind it changes. Lowest layer: imports
only `files` and `errors`.
"""

from __future__ import annotations

import ast
import hashlib
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from siil.errors import InputError
from siil.run import files

PACKAGE = Path(__file__).resolve().parents[1]
RESEARCH_USE = "Research use only, not a medical device."
_CONFIGURATION = ("siil.config", "siil.run.pipeline")
_VERSIONS = ("torch", "monai", "numpy", "SimpleITK", "nibabel", "pandas", "scikit-learn", "lightning-fabric")


def code_digest(stage: str) -> str:
    """12 hex digits over the import closure of the stage's module and its assets.

    Comments, and docstrings of modules, classes and functions, do not count; a string below a constant does.
    """
    return _code_digest(stage, PACKAGE)


@cache
def _code_digest(stage: str, package: Path) -> str:
    found = hashlib.sha256()
    for path in code_files(stage):
        content = _normalised(path) if path.suffix == ".py" else files.sha256(path)
        found.update(f"{path.relative_to(package)}\0{content}\0".encode())
    return found.hexdigest()[:12]


def code_files(stage: str) -> list[Path]:
    """The package's files behind a stage: the modules of its import closure, and the assets/ beside them.

    Not those that only shape the configuration: what they say reaches a stage as values, in `params.config`.
    """
    names = import_closure(f"siil.stages.{stage}")
    modules = {_path(name) for name in names if not name.startswith(_CONFIGURATION)}
    folders = {path.parent / "assets" for path in modules}
    assets = {path for folder in folders for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    return sorted(modules | assets)


def import_closure(module: str) -> set[str]:
    """Names of the package's modules that `module` imports, directly or not, lazily or not; itself included."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting.extend(_imports(_path(name), name) - found)
    return found


def _path(module: str) -> Path:
    base = PACKAGE.parent.joinpath(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _imports(path: Path, module: str) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("siil."):
            names.add(node.value)  # a module named in a table and imported by name
    names = {name for name in names if name.split(".")[0] == "siil" and _path(name).is_file()}
    parents = {name.rsplit(".", depth)[0] for name in names for depth in range(1, name.count(".") + 1)}
    return (names | parents) - {module}


@cache
def _normalised(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = body[1:]
    return ast.dump(tree).replace(", type_params=[]", "")  # Python 3.12 adds it: the same digest as on 3.11


def run_path(artefact: Path) -> Path:
    """Where the run record of an artefact lies: `case.nii.gz` -> `case.run.json` in the same folder."""
    return artefact.with_name(artefact.name.split(".")[0] + ".run.json")


@contextmanager
def record(
    path: Path,
    *,
    stage: str,
    config: Mapping[str, Any],
    inputs: Iterable[Path] = (),
    outputs: Iterable[Path] = (),
    seed: int | None = None,
    write: bool = True,
) -> Iterator[dict[str, Any]]:
    """Time a block and write its run record to `path` when it succeeds.

    Args:
        path: the run.json to write.
        stage: verb of the pipeline.
        config: the resolved sections that the stage saw.
        inputs: files whose SHA-256 goes into the record under their name; with folders where names are equal.
        outputs: the same of files that the block writes.
        seed: seed of the randomness used, if any.
        write: False in the processes that leave the record to the first one.

    Raises:
        InputError: an input does not exist.

    Yields:
        The record; the block may add what it alone knows (device, precision, notes).
    """
    started = time.time()
    entry: dict[str, Any] = {
        "stage": stage,
        "notice": RESEARCH_USE,
        "config": dict(config),
        "code": code_digest(stage),
        "revision": git_revision(),
        "versions": versions(),
        "device": "cpu",
        "seed": seed,
        "inputs": _digests(inputs),
    }
    yield entry
    if made := _digests(outputs):
        entry["outputs"] = made
    entry["started"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started))
    entry["seconds"] = round(time.time() - started, 3)
    if write:
        files.write_json(path, entry)


def up_to_date(
    path: Path, *, stage: str, config: Mapping[str, Any], inputs: Iterable[Path], outputs: Iterable[Path]
) -> bool:
    """Does the run record at `path` name this code, this configuration, and these inputs and outputs as they are?"""
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        now = (code_digest(stage), json.loads(json.dumps(dict(config))), _digests(inputs), _digests(outputs))
        return now == tuple(entry.get(key) for key in ("code", "config", "inputs", "outputs"))
    except (OSError, ValueError, AttributeError, InputError):
        return False


def _digests(paths: Iterable[Path]) -> dict[str, str]:
    return {name: digest(item) for name, item in _named(paths).items()}


def _named(paths: Iterable[Path]) -> dict[str, Path]:
    """Each file under the last part of its path, or under as many of them as tell all files apart."""
    unique = list(dict.fromkeys(paths))
    parts = 1
    while len({path.parts[-parts:] for path in unique}) < len(unique):
        parts += 1
    return {"/".join(path.parts[-parts:]): path for path in unique}


def digest(path: Path) -> str:
    """SHA-256 of a file; of one that this process has seen and that was not written since, without reading it again.

    Raises InputError where there is none.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such file; give the path of an existing one, or run the step that makes it")
    about = Path(path).stat()
    return _sha256(path, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


@lru_cache(4096)
def _sha256(path: Path, *_: int) -> str:
    return files.sha256(path)


@cache
def versions() -> dict[str, str]:
    """Versions of Python, this package and the libraries that numbers depend on."""
    from siil import __version__

    found = {"python": platform.python_version(), "siil": __version__}
    for name in _VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def git_revision() -> str | None:
    """Commit of the checkout, `+` appended when tracked files differ; None outside a checkout."""
    command = ["git", "-C", str(PACKAGE.parent), "describe", "--always", "--abbrev=40", "--dirty=+", "--exclude=*"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.strip() or None if result.returncode == 0 else None


if __name__ == "__main__":
    for verb in sys.argv[1:]:
        print(verb, code_digest(verb))
