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


rule preprocess:
    input:
        image=raw("image"),
        mask=raw("mask"),
    output:
        image="data/{dataset}/img/{case}.nii.gz",
        mask="data/{dataset}/msk/{case}.nii.gz",
        geometry="data/{dataset}/geometry/{case}.json",
    log:
        "logs/{dataset}/preprocess/{case}.log",
    benchmark:
        "logs/{dataset}/preprocess/{case}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(30),
    params:
        config=settings("preprocess"),
        code=code_digest("preprocess"),
        annotation=annotation,
    shell:
        "python -m siil preprocess --image {input.image:q} --mask {input.mask:q} --output-image {output.image:q}"
        " --output-mask {output.mask:q} --output-geometry {output.geometry:q} --annotation {params.annotation}"
        " --config {params.config:q} --log {log:q}"


rule pap:
    input:
        mask="data/{dataset}/msk/{case}.nii.gz",
    output:
        pap="data/{dataset}/pap/{case}.nii.gz",
    log:
        "logs/{dataset}/pap/{case}.log",
    benchmark:
        "logs/{dataset}/pap/{case}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(15),
    params:
        config=settings("pap"),
        code=code_digest("pap"),
    shell:
        "python -m siil pap --mask {input.mask:q} --output {output.pap:q} --config {params.config:q} --log {log:q}"


checkpoint split:
    input:
        cases="data/{dataset}/cases.tsv",
    output:
        expand(
            "data/{{dataset}}/folds/{fold}/{name}",
            fold=range(CONFIG.dataset.split.folds),
            name=["training.txt", "validation.txt", "testing.txt", "sources.tsv"],
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
        folder=lambda wildcards, output: above(output[0], 2),
    shell:
        "python -m siil split --cases {input.cases:q} --output {params.folder:q}"
        " --config {params.config:q} --log {log:q}"
