"""What does each step depend on, for DVC? Writes dvc.yaml from the table of the pipeline (`make schema`; --check).

A DVC stage must depend on at least what its rules depend on, else DVC records old outputs under new code or values. So
its deps are the very files behind the stage's code digest and the workflow, and its params are whole configuration
layers. Every out is kept while a stage runs (persist), so that Snakemake decides within the step what to rerun.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from siil import config as configuration
from siil.config import layers
from siil.config.schema.dataset import Source
from siil.run import files
from siil.run.pipeline import STAGES
from siil.run.provenance import PACKAGE, code_files

ROOT = PACKAGE.parent
TARGET = ROOT / "dvc.yaml"
HEAD = """\
# One stage per step, which calls the target of all its files; Snakemake goes over batches of cases and folds
# (docs/decisions/0001). For the experiment that config/config.yaml names. Do not edit: `make schema` makes it from
# siil/run/pipeline.py and the import closure of each stage.
"""


def outputs(data: str, results: str, sources: Mapping[str, Source]) -> dict[str, list[str]]:
    """What each step owns; no two steps share a folder. A user's own folder is nobody's: DVC must not write there."""
    made = [f"data/raw/{name}" for name, source in sources.items() if source.kind != "custom"]
    return {
        "fetch": [*made, *(f"data/raw/{name}.tsv" for name in sources)],
        "index": [f"{data}/cases.tsv"],
        "audit": [f"{data}/audit"],
        "preprocess": [f"{data}/img", f"{data}/msk", f"{data}/geometry", f"{data}/preprocess"],
        "pap": [f"{data}/pap"],
        "split": [f"{data}/folds"],
        "train": [f"{results}/train"],
        "refine": [f"{results}/refine"],
        "adapt": [f"{results}/adapt"],
        "test": [f"{results}/test"],
        "evaluate": [f"{results}/evaluate"],
        "aggregate": [f"{results}/aggregate/{name}.tsv" for name in ("scans", "summary")],
        "tables": [f"{results}/tables"],
        "figures": [f"{results}/figures"],
        "report": [f"{results}/report"],
    }


PLOTS = {
    "history": {"x": "epoch", "y": "total", "title": "Loss of the trainings"},
    "vertebrae": {"x": "label", "y": "dice", "template": "scatter", "title": "Dice of each vertebra"},
}
"""Tables of the step aggregate that `dvc plots show` draws."""
NEEDS = {
    "fetch": (),
    "index": ("fetch",),
    "audit": ("fetch", "index"),
    "preprocess": ("fetch", "index"),
    "pap": ("preprocess",),
    "split": ("index", "preprocess", "pap"),
    "train": ("preprocess", "pap", "split"),
    "refine": ("fetch", "index", "preprocess", "split", "train"),
    "adapt": ("preprocess", "pap", "split"),
    "test": ("fetch", "index", "preprocess", "split", "train", "refine"),
    "evaluate": ("fetch", "preprocess", "split", "test"),
    "aggregate": ("index", "split", "train", "evaluate"),
    "tables": ("index", "split", "aggregate"),
    "figures": ("index", "split", "aggregate", "preprocess", "test"),
    "report": ("index", "split", "aggregate", "preprocess", "test", "tables", "figures"),
}
NOT_ADAPTED = ("train", "refine", "test", "evaluate", "aggregate", "tables", "figures", "report")
"""Steps that an experiment which adapts weights to scans without labels does not have; the others have no `adapt`."""


def pipeline() -> dict[str, Any]:
    """dvc.yaml as plain values."""
    experiment = layers.default_experiment()
    config = configuration.resolve(experiment)
    results = f"results/{experiment}"
    owns = outputs(f"data/{config.dataset.name}", results, config.dataset.sources)
    experiments = [f"experiments/{name}.yaml" for name in layers.lineage(experiment)]
    names = ["config.yaml", f"datasets/{config.dataset.name}.yaml", *experiments]
    params: list[Any] = [{f"config/{name}": None} for name in names]
    models = [f"config/models/{model}.yaml" for model in config.models]
    stages = {}
    adapts = config.adapt.scans is not None
    refines = any(configuration.resolve(experiment, model=model).refine.enabled for model in config.models)
    left_out = NOT_ADAPTED if adapts else ("adapt",) if refines else ("adapt", "refine")
    for name in [stage.name for stage in STAGES if stage.name not in left_out]:
        code = [str(path.relative_to(ROOT)) for path in code_files(name)]
        before = [out for step in NEEDS[name] for out in owns[step] if step != "refine" or refines]
        stages[name] = {
            "cmd": f"snakemake --cores all all_{name}",
            "deps": [*code, "workflow/Snakefile", "workflow/rules", *models, *before],
            "params": params,
            "outs": [{out: {"persist": True}} for out in owns[name]],
        }
    stages["fetch"]["deps"] += [source.path for source in config.dataset.sources.values() if source.kind == "custom"]
    if adapts:
        stages["adapt"]["deps"] += [path for path in (config.adapt.scans, config.adapt.levels) if path]
    else:
        _add_plots(stages, f"{results}/aggregate")
    trained = f"{results}/{'adapt' if adapts else 'train'}/{config.models[0]}/fold{config.folds[0]}"
    artifact = {
        "path": f"{trained}/weights.safetensors",
        "type": "model",
        "desc": config.description,
        "labels": ["ct", "vertebrae", "siil"],
    }
    return {"stages": stages, "artifacts": {"siil": artifact}}


def _add_plots(stages: dict[str, Any], aggregate: str) -> None:
    """The metrics and plots of the step aggregate, and what reads them."""
    stages["aggregate"]["metrics"] = [{f"{aggregate}/metrics.json": {"persist": True}}]
    stages["aggregate"]["plots"] = [
        {f"{aggregate}/{name}.tsv": {"persist": True, **options}} for name, options in PLOTS.items()
    ]
    for name in ("tables", "figures", "report"):
        stages[name]["deps"] += [f"{aggregate}/metrics.json", *(f"{aggregate}/{name}.tsv" for name in PLOTS)]


def text() -> str:
    """What dvc.yaml should hold."""

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return HEAD + yaml.dump(pipeline(), Dumper=Dumper, sort_keys=False, width=120)


def main(arguments: list[str]) -> int:
    """Write dvc.yaml, or with --check say whether it is in step (exit code 1)."""
    if "--check" not in arguments:
        files.write_text(TARGET, text())
        return 0
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text():
        return 0
    sys.stderr.write("ERROR: dvc.yaml is out of step with the pipeline; run `make schema`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
