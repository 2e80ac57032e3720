# One model on one fold. A killed job goes on from last.ckpt, which is not an output: Snakemake would delete it.
# `launcher` is a resource since it belongs to the machine and reruns nothing: several GPUs in docs/cluster.md.


rule train:
    input:
        lists=once_split(
            f"{DATA}/folds/{{fold}}/training.txt",
            f"{DATA}/folds/{{fold}}/validation.txt",
            f"{DATA}/folds/{{fold}}/sources.tsv",
            f"{DATA}/folds/{{fold}}/training.sha256",
            f"{DATA}/folds/{{fold}}/validation.sha256",
        ),
        start=lambda wildcards: resolved(wildcards.model).train.init_weights or [],
    output:
        weights="results/{experiment}/train/{model}/fold{fold}/weights.safetensors",
        history="results/{experiment}/train/{model}/fold{fold}/history.tsv",
        run="results/{experiment}/train/{model}/fold{fold}/run.json",
    log:
        "logs/{experiment}/train/{model}/fold{fold}.log",
    benchmark:
        "logs/{experiment}/train/{model}/fold{fold}.tsv"
    conda:
        f"../envs/train{TORCH}.yaml"
    threads: TRAIN_THREADS
    resources:
        gpu=1,
        launcher="python",
        mem_mb=growing(16000),
        runtime=growing(1440),
    params:
        config=lambda wildcards: settings("train", wildcards.model),
        code=code_digest("train"),
        data=DATA,
        lists=lambda wildcards: f"{DATA}/folds/{wildcards.fold}",
        folder=lambda wildcards, output: above(output.weights),
    shell:
        "{resources.launcher} -m siil train --data {params.data:q} --lists {params.lists:q} --output {params.folder:q}"
        " --config {params.config:q} --log {log:q}"


# The second look at what that first one saw, in the scans' own resolution; it goes on from a last.ckpt of its own.
rule refine:
    input:
        lists=once_split(
            f"{DATA}/folds/{{fold}}/training.txt",
            f"{DATA}/folds/{{fold}}/validation.txt",
            f"{DATA}/folds/{{fold}}/training.sha256",
            f"{DATA}/folds/{{fold}}/validation.sha256",
        ),
        start=lambda wildcards: resolved(wildcards.model).refine.init_weights or [],
        first=lambda wildcards: resolved(wildcards.model).refine.first
        or f"results/{wildcards.experiment}/train/{wildcards.model}/fold{wildcards.fold}/weights.safetensors",
    output:
        weights="results/{experiment}/refine/{model}/fold{fold}/second_look.safetensors",
        history="results/{experiment}/refine/{model}/fold{fold}/history.tsv",
        run="results/{experiment}/refine/{model}/fold{fold}/run.json",
    log:
        "logs/{experiment}/refine/{model}/fold{fold}.log",
    benchmark:
        "logs/{experiment}/refine/{model}/fold{fold}.tsv"
    conda:
        f"../envs/train{TORCH}.yaml"
    threads: TRAIN_THREADS
    resources:
        gpu=1,
        launcher="python",
        mem_mb=growing(16000),
        runtime=growing(1440),
    params:
        config=lambda wildcards: settings("refine", wildcards.model),
        code=code_digest("refine"),
        data=DATA,
        lists=lambda wildcards: f"{DATA}/folds/{wildcards.fold}",
        folder=lambda wildcards, output: above(output.weights),
    shell:
        "{resources.launcher} -m siil refine --cases {params.data:q}/cases.tsv --data {params.data:q}"
        " --lists {params.lists:q} --first {input.first:q} --output {params.folder:q}"
        " --config {params.config:q} --log {log:q}"


# Weights that learn from scans without labels, where the configuration names such (experiment adapt). Everything lies in
# its folder, which is not an output: a killed job goes on with the scan, or the training, where it was.
rule adapt:
    input:
        lists=once_split(
            f"{DATA}/folds/{{fold}}/training.txt",
            f"{DATA}/folds/{{fold}}/validation.txt",
            f"{DATA}/folds/{{fold}}/sources.tsv",
            f"{DATA}/folds/{{fold}}/training.sha256",
            f"{DATA}/folds/{{fold}}/validation.sha256",
        ),
        scans=files_below(CONFIG.adapt.scans),
        levels=CONFIG.adapt.levels or [],
        start=lambda wildcards: resolved(wildcards.model).train.init_weights or [],
    output:
        weights="results/{experiment}/adapt/{model}/fold{fold}/weights.safetensors",
        table="results/{experiment}/adapt/{model}/fold{fold}/scans.tsv",
        pictures="results/{experiment}/adapt/{model}/fold{fold}/scans.png",
        run="results/{experiment}/adapt/{model}/fold{fold}/run.json",
    log:
        "logs/{experiment}/adapt/{model}/fold{fold}.log",
    benchmark:
        "logs/{experiment}/adapt/{model}/fold{fold}.tsv"
    conda:
        f"../envs/train{TORCH}.yaml"
    threads: TRAIN_THREADS
    resources:
        gpu=1,
        mem_mb=growing(16000),
        runtime=growing(1440),
    params:
        config=lambda wildcards: settings("adapt", wildcards.model),
        code=code_digest("adapt"),
        scans=CONFIG.adapt.scans,
        levels=[f"--levels={CONFIG.adapt.levels}"] if CONFIG.adapt.levels else [],
        data=DATA,
        weights=lambda wildcards, input: [
            f"--weights={path}" for path in [input.start] if path
        ],
        folder=lambda wildcards, output: above(output.weights),
    shell:
        "python -m siil adapt {params.scans:q} --data {params.data:q} --fold {wildcards.fold} {params.levels:q}"
        " {params.weights:q} --output {params.folder:q} --config {params.config:q} --log {log:q}"
