# Held-out scans through a trained network, and what that is worth. On a cluster both rules of a fold are one job.


rule test:
    input:
        image=f"{DATA}/img/{{case}}.nii.gz",
        geometry=f"{DATA}/geometry/{{case}}.json",
        weights="results/{experiment}/train/{model}/fold{fold}/weights.safetensors",
    output:
        seg="results/{experiment}/test/{model}/fold{fold}/{case}_seg.nii.gz",
        work="results/{experiment}/test/{model}/fold{fold}/{case}_work.nii.gz",
        raw="results/{experiment}/test/{model}/fold{fold}/{case}_raw.nii.gz",
        ctd="results/{experiment}/test/{model}/fold{fold}/{case}_ctd.json",
        vertebrae="results/{experiment}/test/{model}/fold{fold}/{case}_vertebrae.tsv",
        scan="results/{experiment}/test/{model}/fold{fold}/{case}_scan.json",
        core="results/{experiment}/test/{model}/fold{fold}/{case}_core.npz",
    log:
        "logs/{experiment}/test/{model}/fold{fold}/{case}.log",
    benchmark:
        "logs/{experiment}/test/{model}/fold{fold}/{case}.tsv"
    group:
        "score_{model}_fold{fold}"
    conda:
        f"../envs/train{TORCH}.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=growing(8000),
        runtime=growing(30),
    params:
        config=lambda wildcards: settings("test", wildcards.model),
        code=code_digest("test"),
        folder=lambda wildcards, output: above(output.seg),
    shell:
        "python -m siil test --image {input.image:q} --geometry {input.geometry:q} --weights {input.weights:q}"
        " --output {params.folder:q} --config {params.config:q} --log {log:q}"


rule evaluate:
    input:
        rules.test.output,
        truth=f"{DATA}/msk/{{case}}.nii.gz",
        released=raw("mask"),
        geometry=f"{DATA}/geometry/{{case}}.json",
    output:
        scores="results/{experiment}/evaluate/{model}/fold{fold}/{case}.tsv",
    log:
        "logs/{experiment}/evaluate/{model}/fold{fold}/{case}.log",
    benchmark:
        "logs/{experiment}/evaluate/{model}/fold{fold}/{case}.tsv"
    group:
        "score_{model}_fold{fold}"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(30),
    params:
        config=lambda wildcards: settings("evaluate", wildcards.model),
        code=code_digest("evaluate"),
        annotation=annotation,
        prediction=lambda wildcards, input: above(input[0]),
    shell:
        "python -m siil evaluate --truth {input.truth:q} --truth-input {input.released:q} --geometry {input.geometry:q}"
        " --prediction {params.prediction:q} --output {output.scores:q} --annotation {params.annotation}"
        " --config {params.config:q} --log {log:q}"
