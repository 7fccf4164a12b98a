"""Extract features from audio.

Needs    results/audio/<view>/<dataset>/<machine>.parquet
Makes    results/features/<frontend>/<view>/<dataset>/<machine>.parquet,
         results/features/<frontend>/<view>/train/<dataset>/<machine>.parquet (training clips alone)
"""


# Compute a frontend's features of every training and test clip of a machine, or of its training clips alone.
rule extract_features:
    input:
        paths.audio(),
    output:
        paths.features(),
    log:
        paths.log(
            "extract_features", "{frontend}", "{view}{part}", "{dataset}", "{machine}"
        ),
    wildcard_constraints:
        part=f"({paths.TRAIN_PART})?",
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: memory.mb("extract_features", w, 2000, attempt),
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: as_json(graph.recipe("frontends", w.frontend).settings),
        code=lambda w: stage_code.of_recipe(
            "extract_features", graph.recipe("frontends", w.frontend)
        ),
        arguments=lambda w, input, output: as_json(
            {
                "audio": input[0],
                "out": output[0],
                "training_only": bool(w.part),
            }
        ),
    shell:
        command("extract_features")
