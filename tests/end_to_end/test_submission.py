"""`snakemake submission` after a finished run: the package, its check on the command line, and its re-runs."""

import csv
import zipfile
from pathlib import Path

import pytest
from helpers.checkout import Checkout

from asdlib.cli import main
from asdlib.evaluation.metrics import harmonic_mean

pytestmark = pytest.mark.workflow

BLOCK = """
submission:
  author: Doe
  institute: ACME
  authors:
    - {lastname: Doe, firstname: Jane, email: jane@example.org, corresponding: true, affiliation: {institution: ACME}}
  variants: [toy/both, toy/joint]
  dataset: toy
  development: toy
"""


def write_truth(clips: Path, folder: Path) -> Path:
    """Write the ground truth of clips.csv in the format of the evaluator."""
    with clips.open() as handle:
        rows = [row for row in csv.DictReader(handle) if row["variant"] == "both"]
    for column, strange in (("label", "anomaly"), ("domain", "target")):
        part = folder / f"ground_truth_{'data' if column == 'label' else column}"
        part.mkdir(parents=True)
        for machine in {row["machine"] for row in rows}:
            lines = [f"{r['clip']},{int(r[column] == strange)}\n" for r in rows if r["machine"] == machine]
            (part / f"ground_truth_{machine}_section_00_test.csv").write_text("".join(lines))
    return folder


def official_score(checkout: Checkout) -> str:
    with (checkout.folder / "results" / "toy" / "scores.csv").open() as handle:
        rows = [row for row in csv.DictReader(handle) if row["variant"] == "both" and row["section"]]
    figures = [float(row[name]) for row in rows for name in ("auc_source", "auc_target", "pauc")]
    return f"official score {harmonic_mean(figures):.2f}"


def test_a_package_of_two_variants(copy: Checkout, capsys: pytest.CaptureFixture) -> None:
    settings = copy.folder / "settings.yaml"
    settings.write_text(settings.read_text() + BLOCK)
    copy.run("submission", anew=True)
    assert "our evaluator reproduces the figures" in copy.read("results/logs/submission/submission.log").decode()
    with zipfile.ZipFile(copy.folder / "results/submission/task2.zip") as package:
        labels = {name.split("/")[1] for name in package.namelist()}
        inside = package.read("task2/Doe_ACME_task2_1/anomaly_score_fan_section_00_test.csv")
    assert labels == {"Doe_ACME_task2_1", "Doe_ACME_task2_2"}
    assert inside == copy.read("results/toy/both/toy/anomaly_score_fan_section_00_test.csv")

    folder = str(copy.folder / "results/submission/task2/Doe_ACME_task2_1")
    truth = write_truth(copy.folder / "results/toy/clips.csv", copy.folder / "truth")
    for against in (["--truth", str(truth)], ["--clips", str(copy.folder / "results/audio/raw/toy")]):
        assert main(["evaluate", "--scores", folder, *against]) == 0
        assert official_score(copy) in capsys.readouterr().out

    assert "Nothing to be done" in copy.run("submission", "--dry-run")
    copy.edit("settings.yaml", "[toy/both, toy/joint]", "[toy/joint]")
    assert "Params have changed" in copy.run("submission", "--dry-run")

    mine = copy.folder / "results/submission/task2/notes.txt"
    mine.write_text("mine")
    for flags in (("--forcerun", "submission"), ("--delete-all-output",)):
        printed = copy.run("submission", *flags, fails=True)
        assert "results/submission/task2/notes.txt: was added or changed by hand and would be replaced: move" in printed
    assert mine.read_text() == "mine"
    assert (copy.folder / "results/submission/task2.zip").is_file()
