"""The workflow on a real SLURM: the same bytes as without it, even if jobs, controller or Snakemake fail."""

import re
import shutil
import time
from collections.abc import Iterator

import pytest
from helpers.checkout import ROOT, Checkout, Run, add_toy_machines, make_checkout
from helpers.halts import start as start_halting
from helpers.halts import wait_for_halt
from helpers.in_process import run_system
from helpers.slurm_cluster import ask, configure, gpus, jobs, start, stop, stop_the_controller, wait_until, with_groups

pytestmark = [pytest.mark.workflow, pytest.mark.slurm]

TABLES = "results/baseline/scores.csv"
THROUGH_SLURM = ("--workflow-profile", "profiles/slurm")
SETTINGS = """
data: demo
override: {models: {dense_ae: {hidden: 8, training: {epochs: 2, batch_size: 64}}}}
prepare: {seconds: 1.0}
threads: 1
datasets:
  demo:
    source: {train_source: 3, train_target: 2, test_per_cell: 1, supplements: 1, seconds: 1.0}
    machines: [fan]
"""
# Too little for the first attempt, and eight times as much for the second. SLURM looks at the memory once a second, and
# a job takes more than the first attempt has from the import of PyTorch until it ends.
TIGHT = "  extract_features: {mem_mb: 250 * attempt ** 3}\n"


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    start()
    yield
    stop()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    made = make_checkout(tmp_path_factory.mktemp("slurm") / "run", SETTINGS)
    configure(made)
    return made


def halt(checkout: Checkout, at: str, target: str) -> tuple[Run, str]:
    """Start a run through SLURM; return it and the number of the halted job."""
    (checkout.folder / "go_on").unlink(missing_ok=True)
    run = start_halting(checkout, at, *THROUGH_SLURM, "--resources", "gpu=2", target, anew=True)  # the README's order
    try:
        wait_for_halt(checkout, run)
        (number,) = jobs(checkout)
    except AssertionError:
        run.kill()
        raise
    return run, number


def call_of_tiny(jobs: int, *names: str) -> tuple[str, ...]:
    """Return Snakemake's arguments to run jobs of tiny.smk, at most `jobs` at a time."""
    files = [f"tiny/{name}.txt" for name in names]
    return (*files, "--snakefile", "tiny.smk", "--jobs", str(jobs), *THROUGH_SLURM)


def test_more_jobs_are_ready_than_fit_and_only_those_that_fail_are_tried_again(checkout: Checkout) -> None:
    # A folder each: at its end, Snakemake removes the folder of locks, and fails if another run has just done so.
    waiting = make_checkout(checkout.folder.parent / "one_by_one", SETTINGS)
    configure(waiting)
    for folder in (checkout.folder, waiting.folder):
        shutil.copy2(ROOT / "tests" / "end_to_end" / "tiny.smk", folder)
    with waiting.start(*call_of_tiny(1, "8", "9")) as one_by_one:
        printed = checkout.run(*call_of_tiny(3, *"1247", "gpus"), anew=True)
        one_by_one.finish()
    assert printed.count("Trying to restart job") == 3
    started = checkout.read("started").decode().splitlines()
    assert sorted(started) == ["1 400", "1 800", "2 400", "4 400", "4 800", "7 400", "7 800"]
    assert sorted(waiting.read("started").decode().splitlines()) == ["8 400", "9 400"]
    assert {checkout.read(f"tiny/{number}.txt") for number in "1247"} == {b"done\n"}
    assert {waiting.read(f"tiny/{number}.txt") for number in "89"} == {b"done\n"}
    assert checkout.read("tiny/gpus.txt") == b"1\n"  # granted as --gres=gpu:1


def test_two_trainings_at_once_have_a_gpu_each_and_sigterm_ends_their_run(checkout: Checkout) -> None:
    add_toy_machines(checkout, "pump", "slider")
    settings = ("--config", "data=recordings")
    planned = checkout.run(TABLES, "--dry-run", *settings)
    models = sorted(set(re.findall(r"results/models/\S+/(?:pump|slider)/model\.safetensors", planned)))
    assert len(models) == 2
    checkout.run(*models, "--until", "extract_features", *settings)  # on this machine: the trainings matter here
    with start_halting(checkout, "train_model:training.ckpt", *models, *THROUGH_SLURM, *settings, anew=True) as run:
        wait_until(lambda: len(gpus(checkout)) == 2, "both trainings have begun", run=run)
        assert gpus(checkout) == {"0", "1"}
        begun = time.monotonic()
        run.process.terminate()
        assert run.process.wait(timeout=60)
        assert time.monotonic() - begun < 20
    wait_until(lambda: not jobs(checkout), "the cancelled jobs are gone")


def test_what_happens_to_jobs_and_to_the_controller_does_not_change_a_table(checkout: Checkout) -> None:
    with (checkout.folder / "profiles/slurm/config.yaml").open("a") as profile:
        profile.write(TIGHT)
    run, number = halt(checkout, "train_model:training.ckpt", TABLES)
    with run:
        assert f"asdlib: read as: snakemake {TABLES} --workflow-profile profiles/slurm --resources gpu=2" in run.printed
        stop_the_controller()
        start()
        ask("scancel", number)
        (checkout.folder / "go_on").touch()
        printed = run.finish()
    assert re.search(rf"message: CANCELLED \(SLURM job {number}, node \w+, memory \S+, time limit \S+\)\n", printed)
    assert "computing on cpu" in printed, "the cancelled job's log is not shown"
    assert "message: OUT_OF_MEMORY (SLURM job " in printed
    assert printed.count("Trying to restart job") == 2  # the one that was cancelled, and the one without memory

    local = make_checkout(checkout.folder.parent / "local", SETTINGS)
    run_system(local, TABLES)
    for path in (TABLES, "results/baseline/clips.csv"):
        assert checkout.read(path) == local.read(path)


def test_a_killed_run_is_picked_up_and_a_job_past_its_time_is_tried_again(checkout: Checkout) -> None:
    checkout.run(TABLES)  # on this machine; it leaves nothing to do if the test above has run
    (embedding,) = checkout.folder.glob("results/embeddings/*/raw/demo/fan.parquet")
    embedding.unlink()
    target = str(embedding.relative_to(checkout.folder))
    trained = {path: path.stat().st_mtime_ns for path in checkout.folder.rglob("model.safetensors")}
    run, number = halt(checkout, "embed:fan.parquet", target)
    run.kill()
    assert jobs(checkout) == [number]  # it still runs
    ask("scancel", number)
    wait_until(lambda: not jobs(checkout), "the cancelled job is gone")
    run, number = halt(checkout, "embed:fan.parquet", target)
    with run:
        ask("scontrol", "update", f"JobId={number}", "TimeLimit=1")
        wait_until(lambda: number not in jobs(checkout), "the job's time is over")
        (checkout.folder / "go_on").touch()
        printed = run.finish()
    assert f"message: TIMEOUT (SLURM job {number}, node " in printed
    assert trained == {path: path.stat().st_mtime_ns for path in checkout.folder.rglob("model.safetensors")}
    assert checkout.jobs(target) == set()


def test_scores_of_a_machine_can_be_one_job_and_only_those_that_are_missing_are_made(checkout: Checkout) -> None:
    """With the lines about groups in the profile. A group of jobs is one job of the queue, and nothing else."""
    checkout.run(TABLES)  # on this machine, where no jobs are grouped
    profile = checkout.folder / "profiles/slurm/config.yaml"
    profile.write_text(with_groups(profile.read_text()))
    tables = {name: checkout.read(f"results/baseline/{name}.csv") for name in ("scores", "clips", "files")}
    scores = sorted(checkout.folder.glob("results/baseline/*/demo/anomaly_score_fan_*.csv"))
    assert [path.parts[-3] for path in scores] == ["mahalanobis", "mse"]
    for missing in (scores, scores[:1]):
        kept = {path: path.stat().st_mtime_ns for path in set(scores) - set(missing)}
        for path in (*missing, checkout.folder / TABLES):
            path.unlink()
        printed = checkout.run(TABLES, *THROUGH_SLURM, anew=True)
        assert printed.count("has been submitted with SLURM jobid") == 1
        assert printed.count("Finished jobid") == len(missing) + 1  # and the table
        assert kept == {path: path.stat().st_mtime_ns for path in kept}
        assert tables == {name: checkout.read(f"results/baseline/{name}.csv") for name in tables}
