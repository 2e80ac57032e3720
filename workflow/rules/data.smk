# From released files to the working grid. Nothing here depends on the experiment: data/{dataset} is shared by all.


rule fetch:
    input:
        own_files,
    output:
        manifest="data/raw/{source}.tsv",
    log:
        "logs/raw/fetch/{source}.log",
    benchmark:
        "logs/raw/fetch/{source}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(1440),
    params:
        config=lambda wildcards: settings("fetch", source=wildcards.source),
        code=code_digest("fetch"),
        folder=lambda wildcards, output: output.manifest.removesuffix(".tsv"),
    shell:
        "python -m siil fetch --source {wildcards.source} --folder {params.folder:q} --manifest {output.manifest:q}"
        " --threads {threads} --config {params.config:q} --log {log:q}"


checkpoint index:
    input:
        manifests=expand("data/raw/{source}.tsv", source=CONFIG.dataset.sources),
    output:
        cases="data/{dataset}/cases.tsv",
    log:
        "logs/{dataset}/index.log",
    benchmark:
        "logs/{dataset}/index.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        config=settings("index"),
        code=code_digest("index"),
        manifests=lambda wildcards, input: [
            f"--manifest={path}" for path in input.manifests
        ],
    shell:
        "python -m siil index {params.manifests:q} --output {output.cases:q}"
        " --config {params.config:q} --log {log:q}"


# No rule reads what the audit says: to leave a scan out is for a person to decide, in `dataset.exclude`.
rule audit:
    input:
        cases="data/{dataset}/cases.tsv",
    output:
        multiext("data/{dataset}/audit/suspects", ".png", ".pdf"),
        table="data/{dataset}/audit/audit.tsv",
        exclude="data/{dataset}/audit/exclude.yaml",
    log:
        "logs/{dataset}/audit.log",
    benchmark:
        "logs/{dataset}/audit.tsv"
    conda:
        "../envs/report.yaml"
    threads: CORES
    resources:
        mem_mb=growing_by_process(4000),
        runtime=growing(240),
    params:
        config=settings("audit"),
        code=code_digest("audit"),
        held_out="",
        folder=lambda wildcards, output: above(output.table),
    shell:
        "python -m siil audit {input.cases:q} --output {params.folder:q} {params.held_out} --processes {threads}"
        " --config {params.config:q} --log {log:q}"


# Batches: a process (or a few, by threads) goes through the cases of each. Only the list of what they made is declared:
# Snakemake deletes what a failed job declares, and the cases that are done must stay. `processes` is a matter of the
# machine and reruns nothing.
rule preprocess:
    input:
        released,
    output:
        manifest="data/{dataset}/preprocess/{batch}.of.{batches}.sha256",
    log:
        "logs/{dataset}/preprocess/{batch}.of.{batches}.log",
    benchmark:
        "logs/{dataset}/preprocess/{batch}.of.{batches}.tsv"
    conda:
        "../envs/data.yaml"
    threads: CORES
    resources:
        mem_mb=growing_by_process(8000),
        runtime=growing(240),
    params:
        config=settings("preprocess"),
        code=code_digest("preprocess"),
        rows=lambda wildcards: rows(in_batch(wildcards)),
        data=DATA,
    shell:
        "python -m siil preprocess --cases {params.data:q}/cases.tsv --batch {wildcards.batch} --batches {wildcards.batches}"
        " --output {params.data:q} --manifest {output.manifest:q} --processes {threads}"
        " --config {params.config:q} --log {log:q}"


rule pap:
    input:
        "data/{dataset}/preprocess/{batch}.of.{batches}.sha256",
    output:
        manifest="data/{dataset}/pap/{batch}.of.{batches}.sha256",
    log:
        "logs/{dataset}/pap/{batch}.of.{batches}.log",
    benchmark:
        "logs/{dataset}/pap/{batch}.of.{batches}.tsv"
    conda:
        "../envs/data.yaml"
    threads: CORES
    resources:
        mem_mb=growing_by_process(4000),
        runtime=growing(120),
    params:
        config=settings("pap"),
        code=code_digest("pap"),
        data=DATA,
    shell:
        "python -m siil pap --cases {params.data:q}/cases.tsv --batch {wildcards.batch} --batches {wildcards.batches}"
        " --data {params.data:q} --manifest {output.manifest:q} --processes {threads}"
        " --config {params.config:q} --log {log:q}"


# After preparing, since it also says which files a fold is trained and tested on.
checkpoint split:
    input:
        cases="data/{dataset}/cases.tsv",
        prepared=of_batches(
            f"{DATA}/preprocess/{{batch}}.of.{{batches}}.sha256",
            f"{DATA}/pap/{{batch}}.of.{{batches}}.sha256",
        ),
    output:
        expand(
            "data/{{dataset}}/folds/{fold}/{name}",
            fold=range(CONFIG.dataset.split.folds),
            name=[
                *("training.txt", "validation.txt", "testing.txt", "sources.tsv"),
                *("training.sha256", "validation.sha256", "testing.sha256"),
            ],
        ),
    log:
        "logs/{dataset}/split.log",
    benchmark:
        "logs/{dataset}/split.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        config=settings("split"),
        code=code_digest("split"),
        prepared=lambda wildcards, input: [
            f"--prepared={path}" for path in input.prepared
        ],
        folder=lambda wildcards, output: above(output[0], 2),
    shell:
        "python -m siil split --cases {input.cases:q} {params.prepared:q} --output {params.folder:q}"
        " --config {params.config:q} --log {log:q}"
