"""From tables to a page that one opens in a browser.

Needs    results/<system>/scores.csv and clips.csv of the config's `systems`, their embeddings, training scores and audio;
         histories of trainings and records in results/benchmarks/ where there are some
Makes    results/<system>/report/<dataset>/<machine>.json, results/report.html
"""


# Draw a system's figures of one machine, and choose the clips to hear.
rule illustrate:
    input:
        clips="results/{system}/clips.csv",
        drawn=lambda w: report_inputs.illustrated(graph, w.system, w.dataset, w.machine),
    output:
        "results/{system}/report/{dataset}/{machine}.json",
    log:
        "results/logs/illustrate/{system}/{dataset}/{machine}.log",
    benchmark:
        "results/benchmarks/illustrate/{system}/{dataset}/{machine}.tsv"
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=lambda w, attempt: 2000 * attempt,
        runtime=lambda w, attempt: 60 * attempt,
    params:
        settings=lambda w: report_inputs.illustrate_settings(
            graph, w.system, w.dataset, w.machine
        ),
        code=graph.code("illustrate"),
    shell:
        'python -P "$ASDLIB/workflow/scripts/illustrate.py"'
        " --clips {input.clips} --out {output} --settings {params.settings:q} --log {log}"


# Join the tables and illustrations of the config's systems into one page.
rule report:
    input:
        scores=expand("results/{system}/scores.csv", system=graph.config["systems"]),
        parts=report_inputs.part_paths(graph),
    output:
        report(
            "results/report.html",
            caption="../report/report.rst",
            category="Page",
            labels={"page": "report.html"},
        ),
    log:
        "results/logs/report/report.log",
    benchmark:
        "results/benchmarks/report/report.tsv"
    localrule: True
    conda:
        "../../envs/asdlib.yaml"
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        settings=lambda w: report_inputs.report_settings(graph),
        templates=report_inputs.template_hash(),
        code=graph.code("report"),
    shell:
        'python -P "$ASDLIB/workflow/scripts/report.py"'
        " --scores {input.scores} --parts {input.parts} --out {output}"
        " --settings {params.settings:q} --log {log}"
