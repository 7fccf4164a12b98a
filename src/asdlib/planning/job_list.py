"""The list of the jobs that Snakemake would run, which the process of the Snakefile writes for `asdlib plan`.

A dry run prints its jobs one after the other, as if they ran, which takes a third of its time. The list is made of the
same jobs, before any is printed.
"""

import atexit
import json
from pathlib import Path
from typing import Any

from asdlib.runtime.job_environment import job_list

# The rules whose params refuse a config or recordings that no job could use. A plan refuses them as a run does.
REFUSING = {"download", "fetch_checkpoint", "prepare", "prepare_far", "prepare_noise"}


def write_at_exit(workflow: Any) -> None:
    """Write the jobs of a Snakemake workflow when the process ends, if a dry run for `asdlib plan` asks for them.

    The environments of conda that are not used are left out. To find that of a job, Snakemake computes its params,
    which takes a third of the time in which it builds the graph. They do not decide which jobs run.
    """
    path = job_list()
    if path is None:
        return
    if not workflow.deployment_settings.deployment_method:
        for rule in workflow.rules:
            if rule.name not in REFUSING:
                rule.conda_env = None
    atexit.register(_write, workflow, path)


def _write(workflow: Any, path: Path) -> None:
    """Write the jobs, sorted by what they make. If Snakemake has failed, its exit code says that they are not all."""
    if workflow.dag is None:
        return
    listed = [_as_list(job) for job in workflow.dag.needrun_jobs(exclude_finished=False)]
    path.write_text(json.dumps(sorted(listed, key=lambda job: job[2])), encoding="ascii")


def _as_list(job: Any) -> list[Any]:
    """Return the fields of a `dry_run.Job`."""
    # Of a rule without this resource, it would compute the memory and time of every job to say that there is none.
    gpus = job.resources.get("gpu", 0) if "gpu" in job.rule.resources else 0
    wildcards = {name: str(value) for name, value in job.wildcards_dict.items()}
    return [job.rule.name, list(map(str, job.input)), list(map(str, job.output)), wildcards, gpus]
