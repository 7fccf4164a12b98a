"""Rebuild five DCASE 2025 Task 2 reports and the official baseline from raw recordings.

    snakemake results/baseline/scores.csv --cores 8 --resources gpu=2
    snakemake results/baseline/scores.csv --cores 8 --config data=path/to/recordings

The target comes first, because `--resources` and `--config` take all words that follow them.
"""

from snakemake.utils import min_version

min_version("9.0")


configfile: f"{workflow.basedir}/config/datasets.yaml"
configfile: f"{workflow.basedir}/config/checkpoints.yaml"
configfile: f"{workflow.basedir}/config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/audio.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/submission.smk"


rule all:
    default_target: True
    input:
        expand(paths.scores(), system=graph.config["systems"]),
