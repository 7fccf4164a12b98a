"""A setting on the command line is the same as in a config file, for Snakemake and its jobs; and how many cores."""

import os
from pathlib import Path

import pytest
from helpers.checkout import SETTINGS, make_checkout

pytestmark = pytest.mark.workflow

CLIPS = "results/audio/raw/tiny/fan.parquet"


def test_a_number_in_a_declared_dataset_is_that_of_a_file(tmp_path: Path) -> None:
    """Nothing runs again when it moves into the file: the params of the jobs are the same."""
    checkout = make_checkout(tmp_path / "checkout")
    checkout.edit("settings.yaml", "data: toy", "data: tiny")
    made = checkout.jobs(CLIPS, "--config", "datasets={tiny: {source: {snr_db: 6.0}}}")
    assert made == {"download tiny fan", "prepare tiny fan"}
    checkout.run(CLIPS, "--config", "datasets={tiny: {source: {snr_db: 6.0}}}")
    checkout.edit("settings.yaml", "kind: demo,", "kind: demo, snr_db: 6.0,")
    assert checkout.jobs(CLIPS) == set()
    checkout.edit("settings.yaml", "snr_db: 6.0", "snr_db: 7.0")
    assert checkout.jobs(CLIPS) == made


def test_a_run_with_more_cores_than_it_may_use_says_so(tmp_path: Path) -> None:
    checkout = make_checkout(tmp_path / "checkout", SETTINGS.replace("data: toy", "data: tiny"))
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        run = checkout.start_anew(CLIPS)
    finally:
        os.sched_setaffinity(0, cores)
    assert "--cores: 2 are more than the 1 that may be used here at a time: give --cores 1\n" in run.finish()
