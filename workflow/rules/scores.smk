"""From embeddings to submission files, and from those to a system's tables.

Needs    results/embeddings/…, results/audio/raw/… (labels of the test clips), resources/reported/<system>.csv
Makes    results/<system>/<variant>/<dataset>/anomaly_score_<machine>_section_<NN>_test.csv and decision_result_…csv,
         …/training_score_<machine>_section_<NN>_train.json, results/<system>/scores.csv, results/<system>/clips.csv
"""


# Fit a variant's backends on a machine's training clips and score its test clips.
rule score:
    input:
        lambda w: graph.embeddings_of(variant_of(w), w.dataset, w.machine),
    output:
        scores="results/{system}/{variant}/{dataset}{seeded}/anomaly_score_{machine}_section_{section}_test.csv",
        decisions="results/{system}/{variant}/{dataset}{seeded}/decision_result_{machine}_section_{section}_test.csv",
        training="results/{system}/{variant}/{dataset}{seeded}/training_score_{machine}_section_{section}_train.json",
    log:
        "results/logs/score/{system}/{variant}/{dataset}{seeded}/{machine}_section_{section}.log",
    benchmark:
        "results/benchmarks/score/{system}/{variant}/{dataset}{seeded}/{machine}_section_{section}.tsv"
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: 2000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        folder=lambda w, output: os.path.dirname(output.scores),
        settings=lambda w: graph.score_settings(variant_of(w), w.section),
        code=lambda w: graph.code("score", *backends_of(variant_of(w))),
    shell:
        'python -P "$ASDLIB/workflow/scripts/score.py"'
        " --embeddings {input} --machine {wildcards.machine} --folder {params.folder}"
        " --settings {params.settings:q} --log {log}"


# Put a system's scores beside the truth and the report's own figures.
rule tabulate:
    input:
        scores=lambda w: graph.score_files(w.system, "anomaly_score"),
        decisions=lambda w: graph.score_files(w.system, "decision_result"),
        audio=graph.audio_files(),
        reported=lambda w: graph.reported_file(w.system),
    output:
        scores=report(
            "results/{system}/scores.csv",
            caption="../report/scores.rst",
            category="Scores",
            labels={"system": "{system}"},
        ),
        clips="results/{system}/clips.csv",
    log:
        "results/logs/tabulate/{system}.log",
    benchmark:
        "results/benchmarks/tabulate/{system}.tsv"
    localrule: True
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        settings=lambda w: graph.tabulate_settings(w.system),
        code=graph.code("tabulate"),
    shell:
        'python -P "$ASDLIB/workflow/scripts/tabulate.py"'
        " --reported {input.reported:q} --scores {output.scores} --clips {output.clips}"
        " --settings {params.settings:q} --log {log}"
