"""From audio to cached features.

Needs    results/audio/<audio>/<dataset>/<machine>.parquet
Makes    results/features/<frontend>/<audio>/<dataset>/<machine>.parquet
"""


# Turn every clip of a machine into a frontend's features.
rule extract_features:
    input:
        "results/audio/{audio}/{dataset}/{machine}.parquet",
    output:
        "results/features/{frontend}/{audio}/{dataset}/{machine}.parquet",
    log:
        "results/logs/extract_features/{frontend}/{audio}/{dataset}/{machine}.log",
    benchmark:
        "results/benchmarks/extract_features/{frontend}/{audio}/{dataset}/{machine}.tsv"
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: 2000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: graph.recipe("frontends", w.frontend).settings,
        code=lambda w: graph.recipe_code("extract_features", "frontends", w.frontend),
    shell:
        'python -P "$ASDLIB/workflow/scripts/extract_features.py"'
        " --audio {input} --out {output} --settings {params.settings:q}"
        " --log {log}"
