"""Edits during a run: edits that would falsify the record stop the later jobs, comments do not."""

from pathlib import Path

import pytest
from helpers.checkout import Checkout
from helpers.halts import start, wait_for_halt

pytestmark = pytest.mark.workflow

TABLES = "results/toy/scores.csv"
HALT = "score:decision_result_fan_section_00_test.csv"
CHANGED = "changed while the run is under way: restore it, or start the run again"


def guard_of(job: int) -> str:
    """Return the fingerprint of the run, which a job finds in its environment."""
    variables = Path(f"/proc/{job}/environ").read_bytes().decode().split("\0")
    return next(value for value in variables if value.startswith("ASDLIB_RUN=")).partition("=")[2]


@pytest.fixture
def changed(copy: Checkout) -> Checkout:
    """Return the toy system after a change of setting: four scores and the table have to be made again."""
    copy.edit("config/systems/toy.yaml", "scale: 1.0", "scale: 2.0")
    return copy


def test_an_edit_of_the_library_stops_the_later_jobs(changed: Checkout) -> None:
    with start(changed, HALT, TABLES) as run:
        wait_for_halt(changed, run)
        changed.edit("src/asdlib/evaluation/metrics.py", "def section_areas(", "unused = 1\n\n\ndef section_areas(")
        (changed.folder / "go_on").touch()
        printed = run.finish(fails=True)
    assert f"error: {changed.folder}/src/asdlib: was {CHANGED}\n" in printed
    changed.run(TABLES)  # a restarted run is another run


def test_an_edit_of_the_config_stops_a_job_that_reads_it_anew_and_an_edit_of_a_comment_stops_nothing(
    changed: Checkout,
) -> None:
    """A job on a cluster reads it anew: it starts Snakemake with the environment and the arguments of the run."""
    done = "results/audio/raw/toy/fan.parquet"
    job = ("--mode", "remote", "--no-hooks", "--nolock", "--dry-run")
    settings = ("--config", "seeds=[13711]", "ground_truth=false")
    with start(changed, HALT, TABLES, *settings) as run:
        half = wait_for_halt(changed, run)
        guard = guard_of(int(half.name.rpartition("-")[2].removesuffix(".part")))
        changed.start(done, *settings, *job, ASDLIB_RUN=guard).finish()
        changed.edit("settings.yaml", "epochs: 2", "epochs: 9")
        printed = changed.start(done, *settings, *job, ASDLIB_RUN=guard).finish(fails=True)
        assert f"config: it, or a rule, was {CHANGED}\n" in printed
        assert "Traceback" not in printed
        changed.edit(
            "src/asdlib/evaluation/metrics.py", "def section_areas(", "# The official ones.\ndef section_areas("
        )
        (changed.folder / "go_on").touch()
        run.finish()
