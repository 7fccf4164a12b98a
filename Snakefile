"""Rebuild five DCASE 2025 Task 2 reports and the official baseline from raw recordings.

    snakemake --cores 8 --resources gpu=2 results/system3/scores.csv
    snakemake --cores 8 --config data=path/to/recordings results/baseline/scores.csv

Targets may stand anywhere: src/snakemake_logger_plugin_asdlib puts them before options that would take them for values.
"""

import atexit
import gc
import sys

# Of what is made for the graph of jobs, nothing is garbage: searching it after every 700 objects takes a sixth of the
# time, and after every 100,000 no more memory. At its end, Python would search all of it several times.
gc.set_threshold(100_000)
atexit.register(gc.freeze)

# Snakemake adds this folder, where a file of the user's (random.py, yaml.py) would hide a module of that name.
sys.path[:] = [path for path in sys.path if path not in ("", str(workflow.basedir))]
sys.path.insert(0, f"{workflow.basedir}/src")

from snakemake.utils import min_version

min_version("9.0")


configfile: f"{workflow.basedir}/config/datasets.yaml"
configfile: f"{workflow.basedir}/config/checkpoints.yaml"
configfile: f"{workflow.basedir}/config/config.yaml"


container: config["container"]  # for --sdm apptainer


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


signatures.keep(workflow.rules)
job_list.write_at_exit(workflow)
