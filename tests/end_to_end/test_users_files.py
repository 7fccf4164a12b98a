"""No flag of Snakemake removes or changes what a user has put into the workflow's folder."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.checkout import Checkout, make_checkout
from helpers.toy_recordings import make_machine

pytestmark = pytest.mark.workflow

SETTINGS = """
data: [tiny, mine]
noise_pool: pool
prepare: {seconds: 0.1}
datasets:
  tiny: # synthesised by a job, unless the recordings are there
    source: {kind: demo, train_source: 2, train_target: 1, test_per_cell: 1, supplements: 1, seconds: 1.0}
    machines: [fan, valve]
  mine: {folder: recordings/mine}
"""
RULES = ("download", "fetch_checkpoint", "prepare", "prepare_noise")
TINY = ("results/audio/raw/tiny/fan.parquet", "results/audio/raw/tiny/valve.parquet")
ALL = (*TINY, "results/audio/raw/mine/fan.parquet", "results/audio/noise/tiny.parquet")
PLACED = "resources/checkpoints/eat_base/model.safetensors"
MISPLACED = ("resources/downloads/checkpoints/beats_iter3_plus/BEATs_iter3_plus_AS2M.pt",
             "resources/downloads/recordings/tiny/valve")  # fmt: skip
FLAGS = {
    "forceall": (*ALL, "--forceall"),
    "force and forcerun": (*TINY, "--force", "--forcerun", *RULES),
    "touch": (*ALL, "--forceall", "--touch"),
    "delete-temp-output": (*ALL, "--delete-temp-output"),
    "cleanup-metadata": ("--cleanup-metadata", *TINY),
    "a failing job": (*TINY, "--forceall", "--rerun-incomplete", "--config", "prepare={sample_rate: 8000}"),
    "delete-all-output": (*ALL, "--delete-all-output"),
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """Return a checkout with files of a user in every place that the documentation names, and in some others."""
    checkout = make_checkout(tmp_path_factory.mktemp("users") / "checkout", SETTINGS)
    folder = checkout.folder
    make_machine(folder / "elsewhere" / "fan", train=2, target=1, test=1, seconds=0.1)
    (folder / "resources" / "tiny").mkdir(parents=True)
    (folder / "resources" / "tiny" / "fan").symlink_to(folder / "elsewhere" / "fan")
    for place in (MISPLACED[1], "recordings/mine/fan"):
        make_machine(folder / place, train=2, target=1, test=1, seconds=0.1)
    shutil.copytree(folder / "elsewhere" / "fan" / "train", folder / "pool")
    for name in (PLACED, MISPLACED[0], "resources/tiny/archives/1/fan.zip", "results/notes.txt", "results/tiny.csv",
                 "results/audio/raw/tiny/notes.txt", "results/submission/task2/notes.txt"):  # fmt: skip
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    return checkout


def users(checkout: Checkout) -> Iterator[Path]:
    """Yield the files of the user."""
    for name in ("elsewhere", "pool", "recordings", "resources", "results"):
        for path in sorted((checkout.folder / name).rglob("*")):
            by_jobs = {"logs", "benchmarks"} & {*path.parts} or path.suffix == ".parquet" or path.name[0] == "."
            if path.is_file() and not by_jobs:
                yield path


def test_no_flag_removes_or_changes_a_users_file(checkout: Checkout) -> None:
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in users(checkout)}
    assert len(before) > 40
    for name, arguments in FLAGS.items():
        printed = checkout.run(*arguments, fails=name == "a failing job")
        assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in users(checkout)} == before, name
        assert "rule download" not in printed, name
        if "valve" in "".join(arguments) and name != "cleanup-metadata":
            assert printed.count(f"{MISPLACED[1]}: {MISPLACED[1]}/attributes_00.csv was added or changed by hand") == 1
    assert (checkout.folder / "resources" / "tiny" / "fan").is_symlink()
    assert not any((checkout.folder / path).exists() for path in ALL), "--delete-all-output did nothing"


def test_what_lies_in_the_workflows_place_is_not_made_even_if_it_is_the_target(checkout: Checkout) -> None:
    for target in MISPLACED:
        kept = {path: path.read_bytes() for path in users(checkout)}
        printed = checkout.run(target, "--forceall", fails=True)
        assert f"({target}" in printed
        assert "was added or changed by hand, so no rule makes" in printed
        assert "your own files belong in resources/" in printed
        assert {path: path.read_bytes() for path in users(checkout)} == kept


def test_a_folder_is_the_one_that_was_named(checkout: Checkout) -> None:
    """YAML reads a number and a comment."""
    for name in ("2025_09", "recs/pump"):
        make_machine(checkout.folder / name / "fan", train=1, target=1, test=1, seconds=0.1)
    target = "results/audio/raw/2025_09/fan.parquet"
    assert checkout.jobs(target, "--config", "data=2025_09") == {"prepare 2025_09 fan"}
    printed = checkout.run("results/audio/raw/pump/fan.parquet", "--config", "data=recs/pump #2", fails=True)
    assert "\nerror: config: data: 'recs/pump #2' is neither a folder nor a declared dataset nor a table" in printed
    assert ": use a path, or one of:" in printed
