# Held-out scans through a trained network, and what that is worth: a model and fold is one process (or a few, by threads)
# that goes through its scans. As for the batches of data.smk only the list of what was made is declared. On a cluster
# both rules of a model and fold are one job.


rule test:
    input:
        lists=once_split(
            f"{DATA}/folds/{{fold}}/testing.txt",
            f"{DATA}/folds/{{fold}}/testing.sha256",
        ),
        weights="results/{experiment}/train/{model}/fold{fold}/weights.safetensors",
        again=second_look_of,
    output:
        manifest="results/{experiment}/test/{model}/fold{fold}.sha256",
    log:
        "logs/{experiment}/test/{model}/fold{fold}.log",
    benchmark:
        "logs/{experiment}/test/{model}/fold{fold}.tsv"
    group:
        "score_{model}_fold{fold}"
    conda:
        f"../envs/train{TORCH}.yaml"
    threads: TEST_THREADS
    resources:
        gpu=1,
        mem_mb=growing_by_process(8000),
        runtime=growing(720),
    params:
        config=lambda wildcards: settings("test", wildcards.model),
        code=code_digest("test"),
        data=lambda wildcards: DATA,
        tested=lambda wildcards, input: input.lists[0],
        folder=lambda wildcards, output: output.manifest.removesuffix(".sha256"),
        again=lambda wildcards, input: (
            f"--second-look {input.again} --cases {DATA}/cases.tsv"
            if input.again
            else ""
        ),
        rows=lambda wildcards: (
            rows_of_tested(wildcards) if refined(wildcards.model) else ""
        ),
    shell:
        "python -m siil test --data {params.data:q} --tested {params.tested:q} --weights {input.weights:q}"
        " {params.again} --output {params.folder:q} --manifest {output.manifest:q} --processes {threads}"
        " --config {params.config:q} --log {log:q}"


rule evaluate:
    input:
        lists=once_split(
            f"{DATA}/folds/{{fold}}/testing.txt",
            f"{DATA}/folds/{{fold}}/testing.sha256",
        ),
        predicted=rules.test.output.manifest,
    output:
        manifest="results/{experiment}/evaluate/{model}/fold{fold}.sha256",
    log:
        "logs/{experiment}/evaluate/{model}/fold{fold}.log",
    benchmark:
        "logs/{experiment}/evaluate/{model}/fold{fold}.tsv"
    group:
        "score_{model}_fold{fold}"
    conda:
        "../envs/data.yaml"
    threads: TRAIN_THREADS
    resources:
        mem_mb=growing_by_process(8000),
        runtime=growing(480),
    params:
        config=lambda wildcards: settings("evaluate", wildcards.model),
        code=code_digest("evaluate"),
        rows=rows_of_tested,
        data=lambda wildcards: DATA,
        tested=lambda wildcards, input: input.lists[0],
        prediction=lambda wildcards, input: input.predicted.removesuffix(".sha256"),
        folder=lambda wildcards, output: output.manifest.removesuffix(".sha256"),
    shell:
        "python -m siil evaluate --cases {params.data:q}/cases.tsv --data {params.data:q} --tested {params.tested:q}"
        " --prediction {params.prediction:q} --output {params.folder:q} --manifest {output.manifest:q}"
        " --processes {threads} --config {params.config:q} --log {log:q}"
