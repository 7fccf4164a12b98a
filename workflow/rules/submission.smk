"""Make the package for the challenge.

Needs    results/<system>/<variant>/<dataset>/…_test.csv, results/audio/raw/… (the clips' names and labels), the trained
         networks (their sizes), the config's block `submission`
Makes    results/submission/task2/<author>_<institute>_task2_<n>/ and results/submission/task2.zip
"""


# Collect and check the files of the chosen variants, and describe each system in a meta file.
rule submission:
    input:
        lambda w: submission_inputs.refuse_changed_package(),
        lambda w: submission_inputs.score_files(graph),
        lambda w: submission_inputs.clip_files(graph),
        lambda w: submission_inputs.network_files(graph),
        lambda w: submission_inputs.report_file(graph),
    output:
        # The folder is no output, because Snakemake would remove it with everything that was added to it.
        archive=paths.SUBMISSION_ARCHIVE,
    log:
        paths.log("submission"),
    localrule: True
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w: memory.mb("submission", w, 1000, 1),
        runtime=30,
    params:
        settings=lambda w: as_json(submission_inputs.settings(graph)),
        code=stage_code.of_step("submission"),
        arguments=lambda w, output: as_json(
            {"folder": paths.SUBMISSION, "archive": output.archive}
        ),
    shell:
        command("submission")
