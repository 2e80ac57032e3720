# All scans of an experiment in one place: pooled numbers, tables, figures, and the page that shows them. On a cluster
# they are one job.

# As siil.report.tables.NAMES and siil.report.figures.NAMES have them; a test compares. (To import these here would load
# pandas and matplotlib each time Snakemake starts.)
TABLES = [
    "comparison",
    "paired",
    "ablation",
    "per_vertebra",
    "per_region",
    "trainings",
]
FIGURES = [
    "comparison",
    "dice_box",
    "per_vertebra",
    "confusion",
    "ceiling",
    "overlays",
    "worst_cases",
    "training_curves",
    "localisation",
    "embeddings",
]
# Cases and folds are inputs of every rule here: after a checkpoint ran, Snakemake looks again only at jobs that read one
# of its files. The others it would run, though nothing that they read has changed.
LISTS = [
    f"{DATA}/cases.tsv",
    *expand(f"{DATA}/folds/{{fold}}/testing.txt", fold=CONFIG.folds),
]
# Lists of the predictions and of the scans that figures and page show.
TESTED = [
    *expand(
        f"{RESULTS}/test/{{model}}/fold{{fold}}.sha256", model=RUNS, fold=CONFIG.folds
    ),
    *expand(f"{DATA}/folds/{{fold}}/testing.sha256", fold=CONFIG.folds),
]


rule aggregate:
    input:
        scores=expand(
            f"{RESULTS}/evaluate/{{model}}/fold{{fold}}.sha256",
            model=RUNS,
            fold=CONFIG.folds,
        ),
        lists=LISTS,
        histories=expand(
            f"{RESULTS}/train/{{model}}/fold{{fold}}/history.tsv",
            model=RUNS,
            fold=CONFIG.folds,
        ),
    output:
        expand(
            "results/{{experiment}}/aggregate/{name}.tsv",
            name=["vertebrae", "scans", "summary", "history"],
        ),
        metrics="results/{experiment}/aggregate/metrics.json",
    log:
        "logs/{experiment}/aggregate.log",
    benchmark:
        "logs/{experiment}/aggregate.tsv"
    group:
        "reporting"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        config=settings("aggregate"),
        code=code_digest("aggregate"),
        data=lambda wildcards, input: above(input.lists[0]),
        results=lambda wildcards, output: above(output.metrics, 2),
        folder=lambda wildcards, output: above(output.metrics),
    shell:
        "python -m siil aggregate --results {params.results:q} --data {params.data:q} --output {params.folder:q}"
        " --config {params.config:q} --log {log:q}"


rule tables:
    input:
        rules.aggregate.output,
        LISTS,
    output:
        expand(
            "results/{{experiment}}/tables/{name}.{kind}",
            name=TABLES,
            kind=["md", "tex"],
        ),
        [
            report(
                f"results/{{experiment}}/tables/{name}.csv",
                caption=f"../report/tables/{name}.rst",
                category="Tables",
                labels={"table": name.replace("_", " ")},
            )
            for name in TABLES
        ],
    log:
        "logs/{experiment}/tables.log",
    benchmark:
        "logs/{experiment}/tables.tsv"
    group:
        "reporting"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        config=settings("tables"),
        code=code_digest("tables"),
        aggregate=lambda wildcards, input: above(input[0]),
        folder=lambda wildcards, output: above(output[0]),
    shell:
        "python -m siil tables --aggregate {params.aggregate:q} --output {params.folder:q}"
        " --config {params.config:q} --log {log:q}"


rule figures:
    input:
        rules.aggregate.output,
        lists=LISTS,
        tested=TESTED,
    output:
        expand("results/{{experiment}}/figures/{name}.pdf", name=FIGURES),
        [
            report(
                f"results/{{experiment}}/figures/{name}.png",
                caption=f"../report/figures/{name}.rst",
                category="Figures",
                labels={"figure": name.replace("_", " ")},
            )
            for name in FIGURES
        ],
    log:
        "logs/{experiment}/figures.log",
    benchmark:
        "logs/{experiment}/figures.tsv"
    group:
        "reporting"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        config=settings("figures"),
        code=code_digest("figures"),
        data=lambda wildcards, input: above(input.lists[0]),
        results=lambda wildcards, output: above(output[0], 2),
        aggregate=lambda wildcards, input: above(input[0]),
        folder=lambda wildcards, output: above(output[0]),
    shell:
        "python -m siil figures --aggregate {params.aggregate:q} --results {params.results:q} --data {params.data:q}"
        " --output {params.folder:q} --config {params.config:q} --log {log:q}"


rule report:
    input:
        aggregate=rules.aggregate.output,
        tables=rules.tables.output,
        figures=rules.figures.output,
        lists=LISTS,
        tested=TESTED,
    output:
        page=report(
            "results/{experiment}/report/index.html",
            caption="../report/page.rst",
            category="Report",
            labels={"page": "all in one"},
        ),
    log:
        "logs/{experiment}/report.log",
    benchmark:
        "logs/{experiment}/report.tsv"
    group:
        "reporting"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        config=settings("report"),
        code=code_digest("report"),
        data=lambda wildcards, input: above(input.lists[0]),
        results=lambda wildcards, output: above(output.page, 2),
        aggregate=lambda wildcards, input: above(input.aggregate[0]),
        tables=lambda wildcards, input: above(input.tables[0]),
        figures=lambda wildcards, input: above(input.figures[0]),
    shell:
        "python -m siil report --aggregate {params.aggregate:q} --tables {params.tables:q} --figures {params.figures:q}"
        " --results {params.results:q} --data {params.data:q} --output {output.page:q}"
        " --config {params.config:q} --log {log:q}"


# The audit again, with predictions of networks that never saw the scans. No part of `all`: ask for its files by name
# after a cross-validation.
use rule audit as audit_with_predictions with:
    input:
        TESTED,
        cases=f"{DATA}/cases.tsv",
    output:
        multiext("results/{experiment}/audit/suspects", ".png", ".pdf"),
        table="results/{experiment}/audit/audit.tsv",
        exclude="results/{experiment}/audit/exclude.yaml",
    log:
        "logs/{experiment}/audit.log",
    benchmark:
        "logs/{experiment}/audit.tsv"
    params:
        held_out=lambda wildcards: f"--results results/{wildcards.experiment}",
