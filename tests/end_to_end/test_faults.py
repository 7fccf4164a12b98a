"""Faults of a disk, a file or a clock during a run: an error of one line, and the same command resumes the run.

test_bad_artefacts.py tests the errors of steps on a failing disk, test_crash.py killed runs.
"""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from helpers.checkout import Checkout, add_toy_machines, make_checkout
from helpers.halts import start, wait_for_halt

from asdlib.workflow.paths import recordings

pytestmark = pytest.mark.workflow

AUDIO = "results/audio/raw/toy/fan.parquet"
TABLES = "results/toy/scores.csv"
REMEDY = "make room, or make the folder writable"


def remount(disk: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(disk)], check=True)


def test_a_disk_that_is_read_only_then_full_and_then_large(tmp_path: Path, tiny_disk: Path) -> None:
    checkout = make_checkout(tmp_path / "checkout")
    add_toy_machines(checkout, "fan")
    (checkout.folder / "results").symlink_to(tiny_disk)

    remount(tiny_disk, "ro")
    printed = checkout.run(AUDIO, fails=True)
    assert f"\nerror: results: cannot be written (Read-only file system): {REMEDY}\n" in printed
    assert "Traceback" not in printed

    remount(tiny_disk, "rw,size=128k")  # the log fits
    printed = checkout.run(AUDIO, fails=True)
    assert f"\nerror: {AUDIO}: cannot be written (No space left on device): {REMEDY}\n" in printed
    assert "Traceback" not in printed
    assert not list(tiny_disk.rglob("*.part"))

    remount(tiny_disk, "size=64m")
    checkout.run(AUDIO)
    assert (tiny_disk / "audio" / "raw" / "toy" / "fan.parquet").is_file()


def test_a_file_that_vanishes_between_two_jobs(copy: Checkout) -> None:
    system = "config/systems/toy.yaml"
    copy.edit(system, "backend: toy_distance}]}", "backend: toy_distance}], decision: {quantile: 0.8}}")
    scores = copy.folder / "results" / "toy" / "joint" / "toy" / "anomaly_score_pump_section_00_test.csv"
    before = scores.stat().st_mtime_ns
    with start(copy, "score:decision_result_fan_section_00_test.csv", TABLES) as run:
        wait_for_halt(copy, run)
        while "1 of 3 steps" not in run.printed:  # pump is scored, fan is halted, the table waits
            assert run.process.poll() is None, run.printed
            time.sleep(0.05)
        assert scores.stat().st_mtime_ns != before
        scores.unlink()
        (copy.folder / "go_on").touch()
        printed = run.finish(fails=True)
    assert f"\n{scores.relative_to(copy.folder)} (missing locally, parent dir contents: " in printed  # Snakemake's
    assert "Traceback" not in printed
    copy.run(TABLES)
    assert copy.jobs(TABLES) == set()


def test_a_clock_that_was_put_back(copy: Checkout) -> None:
    """Snakemake refuses results of a file with a future date, because it could not compare their ages later."""
    target, settings = "results/audio/raw/tiny/fan.parquet", ("--config", "data=tiny")
    timestamp = copy.folder / recordings("tiny", "fan") / ".snakemake_timestamp"  # which gives a folder its date
    before = copy.read(target)
    os.utime(timestamp, (time.time() + 1e5,) * 2)
    printed = copy.run(target, *settings, fails=True)
    assert re.search(
        f"^Output {target} has older modification time .* than input {recordings('tiny', 'fan')} \\(", printed, re.M
    )
    assert "Traceback" not in printed
    os.utime(timestamp)
    copy.run(target, *settings)
    assert copy.read(target) == before


def test_sigterm_ends_a_run_and_its_job_and_the_next_run_goes_on(tmp_path: Path) -> None:
    """Snakemake alone would wait for the job."""
    checkout = make_checkout(tmp_path / "checkout")
    add_toy_machines(checkout, "fan")
    with start(checkout, "prepare:fan.parquet", AUDIO) as run:
        half = wait_for_halt(checkout, run)
        run.process.terminate()
        assert run.process.wait(timeout=30) != 0
        with pytest.raises(ProcessLookupError):
            os.killpg(run.process.pid, 0)
        assert "SIGTERM: cancelling all jobs" in run.printed
    assert not half.exists()
    checkout.run(AUDIO)
    assert (checkout.folder / AUDIO).is_file()
