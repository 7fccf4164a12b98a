"""The commands' tables: aligned columns, and plain text unless the output is a terminal."""

import sys
from pathlib import Path

import pandas as pd
import pytest
from helpers.official import SCORE_COLUMNS

from asdlib.cli import main
from asdlib.commands.text_table import text_table

NAME = "a [bold]clip[/bold] :wave: with a name of many words" + " and more" * 40 + ".wav"


def test_columns_are_aligned() -> None:
    lines = text_table(("clip", "score"), [("a.wav", "1.5"), ("longer.wav", "10")]).split("\n")
    assert lines == ["clip        score", "a.wav         1.5", "longer.wav     10"]


def test_without_heads_there_is_no_head_line() -> None:
    assert text_table(("", ""), [("a", "b"), ("ccc", "")], left=2) == "a    b\nccc"
    assert text_table(("one", ""), [("a", "b")]) == "one\na    b"


@pytest.mark.parametrize("variable", ["COLUMNS", "FORCE_COLOR"])
def test_a_program_reads_every_character_and_no_colours(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "20")
    table = text_table(("clip", "score"), [(NAME, "1.5")])
    assert table.split("\n")[1] == f"{NAME}    1.5"
    assert "\x1b" not in table


def test_heads_are_bold_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    head, row = text_table(("clip", "score"), [(NAME, "1.5")]).split("\n")
    assert "\x1b[1m" in head
    assert row == f"{NAME}    1.5"  # the terminal wraps it, or scrolls


def test_the_table_of_scores_has_ours_beside_reported(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "scores.csv"
    known = {
        "system": "toy",
        "variant": "a",
        "dataset": "here",
        "seed": "1",
        "n_train": 3,
        "n_test": 2,
        "metric": "2022",
    }
    rows = [
        {
            "machine": "fan",
            "section": "00",
            "auc_source": 71.2345,
            "reported_auc_source": 70.0,
            "auc_source_low": 62.6,
            "auc_source_high": 79.9,
            "mean_of": "auc_source auc_target pauc",
            "false_alarms": 20.0,
            "promised": 10.0,
            "recall": 75.0,
        },
        {"machine": "all", "section": "", "hmean": 100.0, "false_alarms": 20.01, "promised": 10.0},
    ]
    pd.DataFrame([known | row for row in rows]).reindex(columns=SCORE_COLUMNS).to_csv(path, index=False)
    assert main(["table", str(path), str(path)]) == 0
    head, fan, overall, *again, empty, note, rates = capsys.readouterr().out.splitlines()
    assert (head, fan) == (
        "system  variant  dataset  machine  section  seed             AUC source  AUC target   pAUC      h-mean  "
        "false alarms  recall",
        "toy     a        here     fan      00       1     71.23 (63-80) / 70.00       - / -  - / -       - / -  "
        "       20.00   75.00",
    )
    assert overall.split()[:5] == ["toy", "a", "here", "all", "1"]
    assert overall.endswith("- / -       - / -  - / -  100.00 / -        20.01!       -")
    assert rates.endswith("! means more than twice the promised false alarms.")
    assert again == [fan, overall]
    assert (empty, note[:31]) == ("", "Ours (95 % interval) / reported")


def test_other_means_and_notes_are_marked(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    known = {"system": "toy", "variant": "a", "dataset": "here", "seed": "1", "metric": "2022"}
    rows = [
        {"machine": "fan", "section": "00", "auc": 80.0, "pauc": 60.0, "hmean": 68.57, "mean_of": "auc pauc"},
        {"machine": "pump", "section": "00", "note": "not scored: too few clips"},
        {"machine": "pump", "section": "01", "note": "not scored: too few clips"},
        {"machine": "all", "section": "", "note": "see pump 00, pump 01"},
    ]
    pd.DataFrame([known | row for row in rows]).reindex(columns=SCORE_COLUMNS).to_csv(tmp_path / "a.csv", index=False)
    assert main(["table", str(tmp_path / "a.csv")]) == 0
    head, fan, *_, star, note = capsys.readouterr().out.splitlines()
    assert head.split()[6:] == ["AUC", "AUC", "source", "AUC", "target", "pAUC", "h-mean", "false", "alarms", "recall"]
    assert " ".join(fan.split()[6:]) == "80.00 / - - / - - / - 60.00 / - 68.57* / - - -"
    assert star.startswith("* is the mean of other figures")
    assert note == "toy a, here/pump section 00 (and 1 more): not scored: too few clips"


def test_without_a_file_all_tables_of_the_folder_are_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/models").mkdir(parents=True)
    assert main(["table"]) == 2
    out, err = capsys.readouterr()
    remedy = "name a file, or run a system first, such as `snakemake results/baseline/scores.csv --cores 2`"
    assert (out, err) == ("", f"asdlib: error: results/*/scores.csv: there is none in {tmp_path}: {remedy}\n")
    for system in ("b", "a"):
        known = {"system": system, "variant": "1", "dataset": "here", "machine": "fan", "metric": "2022"}
        (tmp_path / "results" / system).mkdir()
        pd.DataFrame([known]).reindex(columns=SCORE_COLUMNS).to_csv(f"results/{system}/scores.csv", index=False)
    assert main(["table"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:3]] == ["a", "b"]
    assert main(["table", "results/b/scores.csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[0] == "b"


def test_another_table_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = tmp_path / "clips.csv"
    path.write_text("system,clip\n")
    assert main(["table", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"asdlib: error: {path}: has no column variant: name the scores.csv")
