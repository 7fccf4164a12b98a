"""Make an HTML report of the tables.

Needs    results/<system>/scores.csv and clips.csv of the config's `systems`, their embeddings, training scores and audio;
         training histories and the records in results/benchmarks/, if there are any
Makes    results/<system>/report/<dataset>.zip, results/report.html
"""


# Draw a system's plots of the machines of a dataset, one after the other, and select the clips to listen to. All of
# them are drawn from the system's clips.csv, so a change of one machine makes those of the others again, too.
rule illustrate:
    input:
        clips=paths.clips(),
        drawn=lambda w: report_inputs.illustrated(graph, w.system, w.dataset),
    output:
        paths.illustrations(),
    log:
        paths.log("illustrate", "{system}", "{dataset}"),
    conda:
        "../../envs/asdlib.yaml"
    resources:
        # One machine at a time is in memory.
        mem_mb=lambda w, attempt: memory.mb("illustrate", w, 2000, attempt),
        runtime=lambda w, attempt: (50 + 10 * len(graph.machines(w.dataset))) * attempt,
    params:
        settings=lambda w: as_json(
            report_inputs.illustrate_settings(graph, w.system, w.dataset)
        ),
        code=stage_code.of_step("illustrate"),
        arguments=lambda w, input, output: as_json(
            {"clips": input.clips, "out": output[0]}
        ),
    shell:
        command("illustrate")


# Combine the tables and illustrations of the config's systems in one page.
rule report:
    input:
        scores=expand(paths.scores(), system=graph.config["systems"]),
        parts=report_inputs.part_paths(graph),
    output:
        report(
            paths.REPORT,
            caption="../report/report.rst",
            category="Page",
            labels={"page": "report.html"},
        ),
    log:
        paths.log("report"),
    localrule: True
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w: memory.mb("report", w, 1000, 1),
        runtime=30,
    params:
        settings=lambda w: as_json(report_inputs.report_settings(graph)),
        templates=report_inputs.template_hash(),
        code=stage_code.of_step("report"),
        arguments=lambda w, input, output: as_json(
            {"scores": input.scores, "parts": input.parts, "out": output[0]}
        ),
    shell:
        command("report")
