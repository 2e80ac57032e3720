# One target per step that collects all its files: what `dvc repro` and a curious person call.
# (With a checkpoint upstream, `--until RULE` runs nothing and says nothing.)


localrules:
    all_fetch,
    all_index,
    all_audit,
    all_preprocess,
    all_pap,
    all_split,
    all_train,
    all_refine,
    all_adapt,
    all_test,
    all_evaluate,
    all_aggregate,
    all_tables,
    all_figures,
    all_report,


rule all_fetch:
    input:
        expand("data/raw/{source}.tsv", source=CONFIG.dataset.sources),


rule all_index:
    input:
        f"{DATA}/cases.tsv",


rule all_audit:
    input:
        f"{DATA}/audit/audit.tsv",


rule all_preprocess:
    input:
        of_batches(f"{DATA}/preprocess/{{batch}}.of.{{batches}}.sha256"),


rule all_pap:
    input:
        of_batches(f"{DATA}/pap/{{batch}}.of.{{batches}}.sha256"),


rule all_split:
    input:
        expand(
            f"{DATA}/folds/{{fold}}/{{part}}.{{kind}}",
            fold=CONFIG.folds,
            part=["training", "validation", "testing"],
            kind=["txt", "sha256"],
        ),


rule all_train:
    input:
        expand(
            f"{RESULTS}/train/{{model}}/fold{{fold}}/weights.safetensors",
            model=RUNS,
            fold=CONFIG.folds,
        ),


rule all_refine:
    input:
        expand(
            f"{RESULTS}/refine/{{model}}/fold{{fold}}/second_look.safetensors",
            model=[run for run in RUNS if refined(run)],
            fold=CONFIG.folds,
        ),


rule all_adapt:
    input:
        expand(
            f"{RESULTS}/adapt/{{model}}/fold{{fold}}/weights.safetensors",
            model=RUNS,
            fold=CONFIG.folds,
        ),


rule all_test:
    input:
        expand(
            f"{RESULTS}/test/{{model}}/fold{{fold}}.sha256",
            model=RUNS,
            fold=CONFIG.folds,
        ),


rule all_evaluate:
    input:
        expand(
            f"{RESULTS}/evaluate/{{model}}/fold{{fold}}.sha256",
            model=RUNS,
            fold=CONFIG.folds,
        ),


rule all_aggregate:
    input:
        f"{RESULTS}/aggregate/metrics.json",


rule all_tables:
    input:
        expand(
            f"{RESULTS}/tables/{{name}}.{{kind}}",
            name=TABLES,
            kind=["csv", "md", "tex"],
        ),


rule all_figures:
    input:
        expand(
            f"{RESULTS}/figures/{{name}}.{{kind}}", name=FIGURES, kind=["png", "pdf"]
        ),


rule all_report:
    input:
        f"{RESULTS}/report/index.html",
