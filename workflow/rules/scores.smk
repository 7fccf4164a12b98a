"""Score the test clips and tabulate the scores of each system.

Needs    results/embeddings/…, results/audio/raw/… (labels of the test clips), resources/reported/<system>.csv
Makes    results/<system>/<variant>/<dataset>/anomaly_score_<machine>_section_<NN>_test.csv and decision_result_…csv,
         …/training_score_<machine>_section_<NN>_train.json, results/<system>/scores.csv, clips.csv and files.csv
"""


# Fit a variant's backends on a machine's training clips and score its test clips.
rule score:
    input:
        lambda w: inputs.embeddings_of(variant_of(w), w.dataset, w.machine),
    output:
        scores=paths.scored("anomaly_score"),
        decisions=paths.scored("decision_result"),
        training=paths.scored("training_score"),
    log:
        paths.log(
            "score",
            "{system}",
            "{variant}",
            "{dataset}{seeded}",
            "{machine}_section_{section}",
        ),
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, input, attempt: memory.mb("score", w, 2000, attempt, input),
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: as_json(
            settings.score(graph, variant_of(w), w.dataset, w.section)
        ),
        code=lambda w: stage_code.of_score(variant_of(w)),
        arguments=lambda w, input, output: as_json(
            {
                "embeddings": input,
                "machine": w.machine,
                "folder": os.path.dirname(output.scores),
            }
        ),
    shell:
        command("score")


# Compare a system's scores with the ground truth and with the reported figures.
rule tabulate:
    input:
        scores=lambda w: inputs.score_files(graph, w.system, "anomaly_score"),
        decisions=lambda w: inputs.score_files(graph, w.system, "decision_result"),
        training=lambda w: inputs.score_files(graph, w.system, "training_score"),
        audio=inputs.audio_files(graph),
        reported=lambda w: inputs.reported_file(graph, w.system),
    output:
        scores=report(
            paths.scores(),
            caption="../report/scores.rst",
            category="Scores",
            labels={"system": "{system}"},
        ),
        clips=paths.clips(),
        files=paths.files(),
    log:
        paths.log("tabulate", "{system}"),
    localrule: True
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w: memory.mb("tabulate", w, 1000, 1),
        runtime=30,
    params:
        settings=lambda w: as_json(settings.tabulate(graph, w.system)),
        code=stage_code.of_step("tabulate"),
        arguments=lambda w, input, output: as_json(
            {
                "reported": input.reported,
                "scores": output.scores,
                "clips": output.clips,
                "files": output.files,
            }
        ),
    shell:
        command("tabulate")
