# All scans of an experiment in one place: pooled numbers, tables, figures, and the page that shows them.


rule aggregate:
    input:
        scores=of_tested_cases(
            f"{RESULTS}/evaluate/{{model}}/fold{{fold}}/{{case}}.tsv"
        ),
        histories=expand(
            f"{RESULTS}/train/{{model}}/fold{{fold}}/history.tsv",
            model=CONFIG.models,
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
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=60,
    params:
        config=settings("aggregate"),
        code=code_digest("aggregate"),
        data=DATA,
        results=RESULTS,
        folder="results/{experiment}/aggregate",
    shell:
        "python -m siil aggregate --results {params.results:q} --data {params.data:q} --output {params.folder:q}"
        " --config {params.config:q} --log {log:q}"


rule tables:
    input:
        rules.aggregate.output,
    output:
        report(
            expand("results/{{experiment}}/tables/{name}", name=TABLES),
            caption="../report/tables.rst",
            category="Tables",
        ),
    log:
        "logs/{experiment}/tables.log",
    benchmark:
        "logs/{experiment}/tables.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=30,
    params:
        config=settings("tables"),
        code=code_digest("tables"),
        aggregate="results/{experiment}/aggregate",
        folder="results/{experiment}/tables",
    shell:
        "python -m siil tables --aggregate {params.aggregate:q} --output {params.folder:q}"
        " --config {params.config:q} --log {log:q}"


rule figures:
    input:
        rules.aggregate.output,
        tested=of_tested_cases(
            f"{RESULTS}/test/{{model}}/fold{{fold}}/{{case}}_work.nii.gz",
            f"{RESULTS}/test/{{model}}/fold{{fold}}/{{case}}_core.npz",
            f"{DATA}/img/{{case}}.nii.gz",
            f"{DATA}/msk/{{case}}.nii.gz",
        ),
    output:
        report(
            expand("results/{{experiment}}/figures/{name}", name=FIGURES),
            caption="../report/figures.rst",
            category="Figures",
        ),
    log:
        "logs/{experiment}/figures.log",
    benchmark:
        "logs/{experiment}/figures.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=60,
    params:
        config=settings("figures"),
        code=code_digest("figures"),
        data=DATA,
        results=RESULTS,
        aggregate="results/{experiment}/aggregate",
        folder="results/{experiment}/figures",
    shell:
        "python -m siil figures --aggregate {params.aggregate:q} --results {params.results:q} --data {params.data:q}"
        " --output {params.folder:q} --config {params.config:q} --log {log:q}"


rule report:
    input:
        rules.aggregate.output,
        rules.tables.output,
        rules.figures.output,
        tested=of_tested_cases(
            f"{RESULTS}/test/{{model}}/fold{{fold}}/{{case}}_work.nii.gz",
            f"{DATA}/img/{{case}}.nii.gz",
            f"{DATA}/msk/{{case}}.nii.gz",
        ),
    output:
        page="results/{experiment}/report/index.html",
    log:
        "logs/{experiment}/report.log",
    benchmark:
        "logs/{experiment}/report.tsv"
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=60,
    params:
        config=settings("report"),
        code=code_digest("report"),
        data=DATA,
        results=RESULTS,
        aggregate="results/{experiment}/aggregate",
        tables="results/{experiment}/tables",
        figures="results/{experiment}/figures",
    shell:
        "python -m siil report --aggregate {params.aggregate:q} --tables {params.tables:q} --figures {params.figures:q}"
        " --results {params.results:q} --data {params.data:q} --output {output.page:q}"
        " --config {params.config:q} --log {log:q}"
