"""`asdlib fetch`: the list of downloads, the free disk space, and the Snakemake call."""

import io
import os
import sys

import pytest
from helpers.checkout import ROOT

from asdlib.cli import main
from asdlib.commands.fetch import text
from asdlib.planning import downloads as planned
from asdlib.planning import dry_run
from asdlib.planning.downloads import NOTHING, Amount, Download
from asdlib.planning.dry_run import Job
from snakemake_logger_plugin_asdlib.options import read_options
from snakemake_logger_plugin_asdlib.order import in_order

FAN = Job("download", (), ("resources/downloads/recordings/dcase2025_dev/fan",),
          {"dataset": "dcase2025_dev", "machine": "fan"}, 0)  # fmt: skip
UNTIL = "--until download fetch_checkpoint --cores"


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> dict[str, list]:
    """Return what the command asks Snakemake for: `asked`, the targets of its dry run, and `words`, its call."""
    record: dict[str, list] = {"asked": [], "words": [], "jobs": [FAN]}
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(dry_run, "dry_run", lambda *call: record["asked"].append(call) or record["jobs"])
    monkeypatch.setattr(planned, "free_space", lambda folder: 10e9)
    monkeypatch.setattr(os, "execv", lambda program, argv: record["words"].extend(argv))
    return record


@pytest.mark.parametrize(
    ("given", "targets", "options"),
    [
        ("", "results/baseline/scores.csv", "4 --keep-going"),
        ("--systems system3 baseline system3", "results/system3/scores.csv results/baseline/scores.csv",
         "4 --keep-going"),
        ("--cores 1 --data dcase2025_dev --configfile config/demo.yaml --config device=cpu",
         "results/neighbours/scores.csv results/baseline/scores.csv results/system3/scores.csv",  # of that file
         "1 --keep-going --configfile config/demo.yaml --config data=dcase2025_dev device=cpu"),
    ],
)  # fmt: skip
def test_the_download_rules_of_the_systems_are_run(called, capsys, given: str, targets: str, options: str) -> None:
    assert main(["fetch", *given.split()]) == 0
    expected = f"{targets} {UNTIL} {options}"
    assert capsys.readouterr().out.endswith(f"\n\nsnakemake {expected}\n")
    assert called["words"] == [sys.executable, "-P", "-m", "snakemake", *expected.split()]
    assert in_order(called["words"][4:], read_options()) == called["words"][4:]
    assert called["asked"][0][0] == targets.split()


def test_sizes_and_free_space_come_first(called, capsys) -> None:
    assert main(["fetch", "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["download", "content", "fetch", "GB", "disk", "GB"]
    assert lines[1].split() == ["dcase2025_dev", "1", "machine", "~0.4", "~0.8"]
    assert lines[2].split() == ["all", "~0.4", "~0.8"]
    assert lines[4] == "Free disk space in resources/downloads: 10 GB."
    assert lines[5].startswith("~ estimated: ")
    assert called["words"] == []


def test_nothing_that_was_printed_is_lost_when_snakemake_takes_over(called, monkeypatch: pytest.MonkeyPatch) -> None:
    """It replaces the process, and with it what a pipe has not got yet."""
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="utf-8"))
    monkeypatch.setattr(os, "execv", lambda *_: called["words"].append(written.getvalue().decode()))
    assert main(["fetch"]) == 0
    (printed,) = called["words"]
    assert printed.startswith("download ")
    assert printed.endswith(" 4 --keep-going\n")


def test_a_disk_without_room_starts_nothing(called, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned, "free_space", lambda folder: 0.5e9)
    assert main(["fetch"]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(
        "asdlib: error: resources/downloads: the downloads need about 0.8 GB, 0.5 GB are free: make room, "
    )
    assert printed.err.endswith(f"to start anyway: snakemake results/baseline/scores.csv {UNTIL} 4 --keep-going\n")
    assert "dcase2025_dev" in printed.out
    assert called["words"] == []


def test_nothing_to_fetch_starts_nothing(called, capsys) -> None:
    called["jobs"] = []
    assert main(["fetch", "--systems", "system2", "baseline"]) == 0
    assert capsys.readouterr().out == (
        "Nothing to fetch: all recordings and public weights of system2, baseline are here.\n"
    )
    assert called["words"] == []


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("--systems systme3", "systme3: there is no config/systems/systme3.yaml: choose one of: baseline, "),
        ("--config data=demo system3", "--config: system3: is not key=value: put it before the options"),
    ],
)
def test_wrong_calls_start_nothing(called, capsys, given: str, complaint: str) -> None:
    assert main(["fetch", *given.split()]) == 2
    assert capsys.readouterr().err.startswith(f"asdlib: error: {complaint}")
    assert called["words"] == called["asked"] == []


def test_what_only_a_person_can_fetch_is_said() -> None:
    listed = text(
        [
            Download("far", "2 machines", Amount(600, 1.2e9)),
            Download("net", "net.pt", NOTHING, by_hand="the authors' \x1bpage"),
            Download("new", "new.pt", Amount(0, 0, estimated=True, unknown=True)),
        ],
        free=2e12,
    )
    lines = [line.split() for line in listed.splitlines()]
    assert lines[1:5] == [
        ["far", "2", "machines", "0.0", "1.2"],
        ["net", "net.pt", "by", "hand", "–"],
        ["new", "new.pt", "~0.0+", "~0.0+"],
        ["all", "~0.0+", "~1.2+"],
    ]
    rest = " ".join(listed.split())
    assert "Free disk space in resources/downloads: 2,000 GB." in rest
    assert "net cannot be fetched: download net.pt from the authors' \\x1bpage and put it there: " in rest
    assert "resources/checkpoints/net/net.pt" in rest
    assert listed.endswith("+ not including weights whose size is unknown.")


def test_the_rules_exist() -> None:
    rules = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    for rule in planned.RULES:
        assert f"\nrule {rule}:\n" in rules
