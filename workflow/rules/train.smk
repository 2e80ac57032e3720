# One model on one fold. A killed job goes on from last.ckpt, which is not an output: Snakemake would delete it.
# `launcher` is a resource since it belongs to the machine and reruns nothing: several GPUs in docs/cluster.md.


rule train:
    input:
        lists=expand(
            f"{DATA}/folds/{{{{fold}}}}/{{name}}",
            name=["training.txt", "validation.txt", "sources.tsv"],
        ),
        cases=of_training_cases(
            f"{DATA}/img/{{case}}.nii.gz",
            f"{DATA}/msk/{{case}}.nii.gz",
            f"{DATA}/pap/{{case}}.nii.gz",
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
        data=lambda wildcards, input: above(input.lists[0], 3),
        lists=lambda wildcards, input: above(input.lists[0]),
        folder=lambda wildcards, output: above(output.weights),
    shell:
        "{resources.launcher} -m siil train --data {params.data:q} --lists {params.lists:q} --output {params.folder:q}"
        " --config {params.config:q} --log {log:q}"
