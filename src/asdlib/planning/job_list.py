"""The list of the jobs that Snakemake would run, which the process of the Snakefile writes for `asdlib plan`.

A dry run prints its jobs one after the other, as if they ran, which takes a third of its time. The list is made of the
same jobs, before any is printed.
"""

import atexit
import json
import os
from pathlib import Path
from typing import Any

from asdlib.planning.dry_run import LIST, Job


def write_at_exit(workflow: Any) -> None:
    """Write the jobs of a Snakemake workflow when the process ends, if a dry run for `asdlib plan` asks for them."""
    if LIST in os.environ:
        atexit.register(_write, workflow, Path(os.environ[LIST]))


def _write(workflow: Any, path: Path) -> None:
    """Write the jobs, sorted; nothing if there is no graph of jobs, because Snakemake has stopped with an error."""
    if workflow.dag is None:
        return
    jobs = [job_of(job) for job in workflow.dag.needrun_jobs(exclude_finished=False)]
    listed = [[job.rule, job.inputs, job.outputs, job.wildcards, job.gpus] for job in jobs]
    path.write_text(json.dumps(sorted(listed, key=lambda job: job[2])), encoding="ascii")


def job_of(job: Any) -> Job:
    """Return what is known of a job of Snakemake."""
    # The other rules have no such resource; asking would compute the memory and time of each of their jobs.
    gpus = job.resources.get("gpu", 0) if "gpu" in job.rule.resources.keys() else 0  # noqa: SIM118 (no dictionary)
    wildcards = {name: str(value) for name, value in job.wildcards_dict.items()}
    return Job(job.rule.name, tuple(map(str, job.input)), tuple(map(str, job.output)), wildcards, gpus)
