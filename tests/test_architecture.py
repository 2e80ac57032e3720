"""House rules that a reader relies on: one word per step in every place, thin rules, files and functions of a size."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from siil.run.pipeline import OWN_VERBS, VERBS
from siil.run.provenance import PACKAGE, import_closure

ROOT = PACKAGE.parent
RULES = ROOT / "workflow" / "rules"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
DOORS = ("__main__", "cli", "get_config", "tester", "trainer")
RESULT_STEPS = ("train", "test", "evaluate", "aggregate", "tables", "figures", "report")


def rules() -> dict[str, str]:
    """Name -> text of every rule and checkpoint that is not a collecting target."""
    found: dict[str, str] = {}
    for path in sorted(RULES.glob("*.smk")):
        parts = re.split(r"^(?:rule|checkpoint) (\w+):\n", path.read_text(encoding="utf-8"), flags=re.M)
        found |= dict(zip(parts[1::2], parts[2::2], strict=True))
    return {name: text for name, text in found.items() if not name.startswith("all")}


def _rooms_used_by(place: str) -> set[str]:
    """The rooms that the modules of a room (or one module of the hall) import, itself left out."""
    paths = (PACKAGE / place).rglob("*.py") if (PACKAGE / place).is_dir() else [PACKAGE / f"{place}.py"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    return {*re.findall(r"^\s*(?:from siil import |from siil\.|import siil\.)(\w+)", text, flags=re.M)} & {*ROOMS} - {
        place
    }


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_every_step_has_one_word_as_rule_verb_module_function_and_test_file():
    assert sorted(rules()) == sorted(VERBS)
    for verb in (*VERBS, *OWN_VERBS):
        assert callable(getattr(importlib.import_module(f"siil.stages.{verb}"), verb))
        assert (ROOT / "tests" / "stages" / f"test_{verb}.py").is_file(), f"tests/stages/test_{verb}.py is missing"


def test_every_step_has_a_target_that_collects_its_files():
    text = (RULES / "targets.smk").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^rule all_(\w+):", text, flags=re.M)) == sorted(VERBS)
    snakefile = (ROOT / "workflow" / "Snakefile").read_text(encoding="utf-8")
    assert sorted(re.findall(r"rules\.all_(\w+)\.input", snakefile)) == sorted(VERBS)


@pytest.mark.parametrize("step", RESULT_STEPS)
def test_a_result_lies_in_the_folder_of_its_step(step):
    output = rules()[step].partition("    output:\n")[2].partition("    log:\n")[0]
    assert re.findall(r"results/\{+experiment\}+/(\w+)/", output)
    assert set(re.findall(r"results/\{+experiment\}+/(\w+)/", output)) == {step}


@pytest.mark.parametrize("name", VERBS)
def test_a_rule_only_wires(name):
    text = rules()[name]
    for directive in ("output", "log", "benchmark", "conda", "threads", "resources", "params", "shell"):
        assert f"    {directive}:" in text, f"rule {name} has no {directive}"
    assert not re.search(r"^    (run|script|notebook|wrapper):", text, flags=re.M)
    assert "directory(" not in text
    assert re.search(rf'"(python|{{resources\.launcher}}) -m siil {name} ', text)
    assert f'code=code_digest("{name}")' in text
    assert f'settings("{name}"' in text
    assert "mem_mb=" in text
    assert "runtime=" in text


@pytest.mark.parametrize("name", ["train", "refine", "test"])
def test_training_and_testing_ask_for_a_gpu(name):
    assert "gpu=1" in rules()[name]


def test_the_rules_name_the_tables_and_figures_that_the_report_makes():
    from siil.report import figures, tables

    text = (RULES / "report.smk").read_text(encoding="utf-8")
    assert tuple(ast.literal_eval(re.search(r"^TABLES = (\[.*?\])", text, flags=re.M | re.S)[1])) == tables.NAMES
    assert tuple(ast.literal_eval(re.search(r"^FIGURES = (\[.*?\])", text, flags=re.M | re.S)[1])) == figures.NAMES


def test_imports_go_one_way():
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_help_and_the_names_of_all_stages_load_no_torch():
    code = (
        "import sys, importlib; from siil import cli; from siil.run.pipeline import VERBS, OWN_VERBS\n"
        "[importlib.import_module('siil.stages.' + verb) for verb in VERBS + OWN_VERBS]\n"
        "print(sorted({'torch', 'monai', 'matplotlib', 'lightning_fabric'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_parsing_the_workflow_loads_no_torch(tmp_path):
    code = (
        "import sys; from snakemake.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit as end: print('exit', end.code)\n"
        "print(sorted({'torch', 'monai', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    words = ["-s", str(ROOT / "workflow/Snakefile"), "--directory", str(tmp_path), "-n", "all_fetch", "--quiet"]
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-2:] == ["exit 0", "[]"], done.stdout + done.stderr


def test_every_module_is_reached_from_a_door():
    doors = ["siil.cli", "siil.config.keys", "siil.trainer", "siil.tester", "siil.get_config", "siil.__main__"]
    doors += [f"siil.stages.{verb}" for verb in (*VERBS, *OWN_VERBS)]
    doors += [_module(path) for path in MODULES if '__name__ == "__main__"' in path.read_text(encoding="utf-8")]
    reached = {name for door in doors for name in import_closure(door)}
    assert {_module(path) for path in MODULES} - reached == set()


def test_sections_of_the_configuration_hold_no_code():
    """Stages are not rerun when the schema changes (siil.run.provenance): it may hold names, types and words alone."""
    for path in sorted((PACKAGE / "config" / "schema").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
        assert functions == [], f"{path} has functions"


def test_files_and_functions_keep_their_size(record_property):
    lines = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in MODULES}
    functions = {
        f"{path.relative_to(ROOT)}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    record_property("files", len(lines))
    record_property("lines_p90", sorted(lines.values())[int(0.9 * len(lines))])
    record_property("longest_function", max(functions.values()))
    assert {name: count for name, count in lines.items() if count > 250} == {}
    assert {name: count for name, count in functions.items() if count > 60} == {}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_does(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not tree.body, f"{path} has no docstring"


def test_the_hall_holds_the_doors_and_what_everyone_uses():
    assert {path.stem for path in PACKAGE.glob("*.py")} == {*DOORS, "__init__", "anatomy", "errors"}


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_says_who_lives_there_and_who_may_come_in(room):
    said = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    before, _, rest = said.partition("Comes in: ")
    comes_in, _, goes_out = rest.partition("Goes out: ")
    assert "Lives here: " in before
    inside = {path.stem for path in (PACKAGE / room).glob("*.py")} - {"__init__"}
    assert {name for name in inside if not re.search(rf"\b{name}\b", before)} == set(), "a module is not introduced"
    assert goes_out
    guests = {place for place in (*ROOMS, *DOORS) if room in _rooms_used_by(place)}
    if "everyone" not in comes_in:
        assert {place for place in guests if not re.search(rf"\b{place}\b", comes_in)} == set(), "who comes in unsaid"
    if "every other room" not in goes_out:
        assert {place for place in ROOMS if re.search(rf"\b{place}\b", goes_out)} == _rooms_used_by(room)


@pytest.mark.parametrize("room", ROOMS)
def test_tests_mirror_the_rooms(room):
    """A room has its folder of tests, and a test file that is named after a module lies in the folder of its room."""
    assert (ROOT / "tests" / room / "__init__.py").is_file()
    loose = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    modules = {path.stem for path in (PACKAGE / room).glob("*.py")} - {path.stem for path in PACKAGE.glob("*.py")}
    assert loose & modules == set()


def test_no_module_is_named_after_nothing():
    assert [path.name for path in MODULES if path.stem in ("utils", "helpers", "misc", "common", "tools")] == []


PROGRAMS = sorted(path for folder in ("benchmarks", "scripts") for path in (ROOT / folder).glob("*.*"))
READERS = [
    ROOT / "Makefile",
    ROOT / "workflow" / "Snakefile",
    *ROOT.glob("workflow/rules/*.smk"),
    *ROOT.glob("docs/*.md"),
]


@pytest.mark.parametrize("path", [path for path in PROGRAMS if path.suffix != ".md"], ids=lambda path: path.name)
def test_a_program_beside_the_package_says_which_question_it_answers_and_has_a_reader(path):
    opening = path.read_text(encoding="utf-8").partition("\n\n")[0]
    assert "?" in opening, f"{path} does not open with the question that it answers"
    readers = [*READERS, ROOT / "benchmarks" / "README.md", *(other for other in PROGRAMS if other.suffix == ".sh")]
    name = f"`{path.stem}`" if path.parent.name == "benchmarks" else path.name
    read = [reader for reader in readers if reader != path and name in reader.read_text(encoding="utf-8")]
    assert read, f"nothing reads {path}: name it where it is used, or delete it"


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md", ROOT / "config" / "README.md"]
PAGES += sorted(path for path in (ROOT / "docs").rglob("*.md") if path.name != "log.md")  # it tells of what was


FOLDERS = (ROOT, PACKAGE, ROOT / "workflow", ROOT / "config")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_names_no_file_and_no_program_that_is_not_there(page):
    """Paths as `datasets/pap.py`, `datasets/{verse,custom}.py`; a line that says `at revision` may tell of what was."""
    lines = [line for line in page.read_text(encoding="utf-8").splitlines() if "at revision" not in line]
    named = re.findall(r"`((?:[\w.{},-]+/)+[\w{},-]+\.(?:py|smk|sh|yaml|md))`", "\n".join(lines))
    modules = re.findall(r"python -m ((?:siil|benchmarks)[\w.]*\.\w+)", "\n".join(lines))
    paths = [path for name in named for path in _each(name)] + [f"{name.replace('.', '/')}.py" for name in modules]
    real = [path for path in paths if "NAME" not in path and "{" not in path]
    assert [path for path in real if not any((folder / path).exists() for folder in FOLDERS)] == []
    dotted = re.findall(r"`siil\.((?:\w+\.)*\w+)`", "\n".join(lines))
    assert [name for name in dotted if not _is_code(name)] == []


def _is_code(name: str) -> bool:
    """Is the dotted name below siil a room, a module, or what a module defines or imports by name?"""
    place, words = PACKAGE, name.split(".")
    while words and (place / words[0]).is_dir():
        place /= words.pop(0)
    if not words:
        return True
    module = place / f"{words[0]}.py"
    text = (module if module.is_file() else place / "__init__.py").read_text(encoding="utf-8")
    rest = words[1:] if module.is_file() else words
    return all(
        re.search(rf"^\s*(?:def|class) {word}\b|^{word}\b|import .*\b{word}\b", text, flags=re.M) for word in rest
    )


def _each(name: str) -> list[str]:
    """`a/{b,c}.py` as a/b.py and a/c.py; a wildcard as `{model}` stays."""
    choice = re.search(r"\{(\w+(?:,\w+)+)\}", name)
    if choice is None:
        return [name]
    return [path for word in choice[1].split(",") for path in _each(name.replace(choice[0], word, 1))]


FINDINGS = sorted((ROOT / "findings").glob("*.sh"))


@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_a_finding_says_what_it_found_is_listed_and_leaves_nothing_behind(path):
    text = path.read_text(encoding="utf-8")
    opening = [line for line in text.partition("\n\n")[0].splitlines() if re.match(r"# [A-Z][a-z ]+: ", line)]
    assert [line[2:].partition(":")[0] for line in opening] == ["What", "Versions", "Guess", "So it is", "Matters"]
    assert "work=$(mktemp -d)\ntrap 'rm -rf \"$work\"' EXIT\n" in text
    assert re.search(r"pip install .*==", text)
    assert "import siil" not in text
    assert f"`{path.stem}`" in (ROOT / "findings" / "README.md").read_text(encoding="utf-8")
