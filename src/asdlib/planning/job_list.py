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
LISTED = ("_cores", "gpu")  # resources: Snakemake needs the first, the number of threads, and a plan the second


def write_at_exit(workflow: Any) -> None:
    """Write the jobs of a Snakemake workflow when the process ends, if a dry run for `asdlib plan` asks for them.

    What Snakemake computes for every job and what no plan needs is left out: it takes half of the time in which the
    graph is built.
    """
    path = job_list()
    if path is None:
        return
    for rule in workflow.rules:
        _leave_out(rule)
    atexit.register(_write, workflow, path)


def _leave_out(rule: Any) -> None:
    """Leave out the logs of a rule's jobs, their memory and time, and, if no job can have results, their params.

    Snakemake compares the params of a job with those that its results were made with. Without results, none decides
    whether a job runs.
    """
    rule.log.clear()
    rule.resources = type(rule.resources)({name: rule.resources[name] for name in LISTED if name in rule.resources})
    if rule.name in REFUSING or any(map(_may_exist, rule.output)):
        return
    for name, param in rule.params.items():
        if callable(param):
            setattr(rule.params, name, None)


def _may_exist(pattern: str) -> bool:
    """Return whether there can be a file of a pattern with wildcards: whether the folders that it names are there."""
    return Path(pattern.partition("{")[0].rpartition("/")[0]).is_dir()


def _write(workflow: Any, path: Path) -> None:
    """Write the jobs, sorted by what they make. If Snakemake has failed, its exit code says that they are not all."""
    if workflow.dag is None:
        return
    listed = [_as_list(job) for job in workflow.dag.needrun_jobs(exclude_finished=False)]
    path.write_text(json.dumps(sorted(listed, key=lambda job: job[2])), encoding="ascii")


def _as_list(job: Any) -> list[Any]:
    """Return the fields of a `dry_run.Job`."""
    gpus = job.resources.get("gpu", 0) if "gpu" in job.rule.resources else 0
    wildcards = {name: str(value) for name, value in job.wildcards_dict.items()}
    return [job.rule.name, list(map(str, job.input)), list(map(str, job.output)), wildcards, gpus]
