"""Build the graph from the config, and constrain the wildcards.

All rules have three params. A change of `settings` or `code`, which decide the result, runs a job again. `arguments` are
the other arguments of the step. It is a function of the output, and Snakemake does not compare such params, so that a
change runs nothing again. A value in `arguments` that does decide the result is therefore also a param of its own.

The code that the rules call is in asdlib.workflow, asdlib.planning, asdlib.report.inputs and
asdlib.submission.inputs, and is tested there.
"""

from asdlib.runtime import termination

termination.explain_interrupts()  # first, because the rest takes a second

import os
import re
from pathlib import Path

from asdlib.errors import AsdError
from asdlib.planning import job_list
from asdlib.planning.limits import Limits
from asdlib.planning.memory import Memory
from asdlib.report import inputs as report_inputs
from asdlib.runtime import (
    failures,
    guard,
    host_cores,
    job_environment,
    job_server,
    live_line,
    local_run,
    lock,
    text_streams,
)
from asdlib.submission import inputs as submission_inputs
from asdlib.workflow import (
    code_text,
    inputs,
    label_inputs,
    paths,
    settings,
    signatures,
    stage_code,
    unknown_targets,
    yaml_files,
)
from asdlib.workflow.config import with_entries
from asdlib.workflow.graph import Graph
from asdlib.workflow.job_file import as_json, command
from asdlib.workflow.recipes import public_source
from asdlib.workflow.words import CORPUS, FAR, NAME, RAW
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.settings.types import DeploymentMethod

# Otherwise a message that the terminal cannot show becomes an error of 20 lines.
text_streams.accept_any_text(logger.handlers)

if workflow.is_main_process:
    logger.addFilter(
        failures.Shortener(
            lambda job: failures.give_up(workflow.dag, job),
            lambda target: unknown_targets.explain(
                target, graph.recipes.systems, graph.keys
            ),
        )
    )
    output = workflow.output_settings
    if not output.dryrun and "ALL" in {value.name for value in output.quiet or ()}:
        logger.addHandler(failures.ErrorLines())
    # A terminal sends Ctrl-C to all processes. Jobs that are being started would print a traceback each; this process
    # ends them by SIGTERM.
    shell.prefix("trap '' INT; ")

try:
    job_environment.export(
        workflow.basedir,
        [*workflow.configfiles, workflow.sourcecache.runtime_cache_path],
    )
    job_environment.provide_folders(Path(".snakemake/cache"))
    job_environment.provide_user()
    code_text.keep_in(Path(".snakemake/asdlib_code.json"))
    for path in workflow.configfiles:
        # Raises an error for repeated keys; Snakemake keeps the last value.
        yaml_files.read_yaml(path)
    graph = Graph(
        with_entries(config, workflow.config_settings.config_args), workflow.basedir
    )
    graph.variants, graph.recipes_by_key  # resolve all recipes, so that errors appear before any job runs
    submission_inputs.check(graph)
    lock.refuse_files(paths.folders(graph.recipes.systems))
    settings_hash = guard.settings_hash(
        [graph.config, graph.recipes.systems, graph.recipes.shared], graph.root
    )
    library_files = guard.library_files()
    if workflow.is_main_process:
        lock.clear_stale_locks()
        if DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method:
            job_environment.refuse_missing_image(graph.config["container"])
        graph.say_how_data_is_understood()
    else:  # a job on a cluster
        job_environment.mark_slurm_job()
        guard.check_settings(settings_hash)
except AsdError as error:
    raise WorkflowError(str(error)) from None


onstart:
    try:
        lock.check_writable(Path(paths.RESULTS))
    except AsdError as error:
        raise WorkflowError(str(error)) from None
    guard.begin(settings_hash, library_files)
    termination.end_on_signals(submits=workflow.non_local_exec)
    if driver_fault:
        logger.warning(driver_fault)
    if said := local_run.in_words(found_here):
        logger.info(said)
    if is_local and (said := host_cores.too_many(workflow.cores)):
        logger.warning(said)
    if forks_jobs:
        job_server.start(len(workflow.dag))
    if workflow.is_main_process:
        live_line.show(
            logger, len(workflow.dag), workflow.output_settings.quiet or ()
        )


onsuccess:
    live_line.end()


onerror:
    live_line.end()
    termination.cancel_rest()


def one_of(names):
    return "|".join(map(re.escape, sorted(names))) or "(?!)"  # (?!) matches nothing


# With --jobs, which local runs do not need, jobs are submitted: the login node says nothing about where they run.
is_local = workflow.is_main_process and workflow.resource_settings.nodes is None
given = workflow.global_resources
deployed = workflow.deployment_settings.deployment_method
asks_for_gpus = graph.gpus > 0 and not ("gpu" in given and given["gpu"].value == 0)
driver_fault = local_run.driver_fault(deployed) if is_local and asks_for_gpus else ""
found_here = (
    local_run.found(given, graph.gpus > 0, not driver_fault) if is_local else {}
)
for name, limit in found_here.items():
    workflow.register_resource(name, limit)
forks_jobs = is_local and graph.config["fork_jobs"] and local_run.can_fork(deployed)
limits = Limits(graph)
memory = Memory(
    graph,
    is_local,
    *(given[n].value if n in given else None for n in ("mem_mb", "gpu")),
)


def variant_of(w):
    return graph.variant(w.system, w.variant, w.seeded)


wildcard_constraints:
    dataset=one_of([*graph.all_datasets, CORPUS]),
    machine=NAME,
    section=one_of(
        {
            section.section
            for one in graph.all_datasets.values()
            for section in one.sections
        }
    ),
    separator=one_of(graph.keys("separators")),
    augmentation=one_of(graph.keys("augmentations")),
    frontend=one_of(graph.keys("frontends")),
    labeller=one_of(graph.keys("labellers")),
    model=one_of(graph.keys("models")),
    checkpoint=one_of(graph.config["checkpoints"]),
    file=one_of({block["file"] for block in graph.config["checkpoints"].values()}),
    view=one_of(
        [
            RAW,
            FAR,
            *(f"separated/{key}" for key in graph.keys("separators")),
            *(f"augmented/{key}" for key in graph.keys("augmentations")),
        ]
    ),
    system=one_of(graph.recipes.systems),
    variant=r"[A-Za-z0-9][A-Za-z0-9_]{0,99}",
    seeded=r"(/seed_[0-9]+)?",
