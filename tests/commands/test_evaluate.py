"""`asdlib evaluate`: the interval of clips that are pieces of recordings, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from asdlib.cli import main
from asdlib.commands.evaluate import table
from asdlib.data.tables import clip_rows, writing
from asdlib.scoring.score_files import write_decisions, write_scores


def put(folder: Path, machine: str, names: list[str], longer: str = "cut") -> None:
    """Write a machine's prepared clips, and scores and decisions of them; the first half of them is normal."""
    rows = [
        {
            "clip": name, "section": "00", "domain": "source", "split": "test",
            "label": "normal" if number < len(names) / 2 else "anomaly", "attributes": {}, "kind": "test", "samples": 1,
            "recorded_samples": 1, "frames": None, "source_file": f"{machine}/test/{name}.wav",
        }
        for number, name in enumerate(names)
    ]  # fmt: skip
    with writing(folder / f"clips/{machine}.parquet", {"longer": longer}, audio=("int16", (1,))) as written:
        written.write(clip_rows(rows), audio=np.zeros((len(rows), 1), np.int16))
    scored = [f"{name}.wav" for name in names]
    write_scores(folder / "scored", machine, "00", [(name, number % 5) for number, name in enumerate(scored)])
    write_decisions(folder / "scored", machine, "00", [(name, number % 2) for number, name in enumerate(scored)])


def call(folder: Path) -> list[str]:
    return ["evaluate", "--scores", str(folder / "scored"), "--clips", str(folder / "clips")]


@pytest.mark.parametrize("longer", ["split", "cut"])
def test_pieces_of_recordings_have_no_interval_over_clips(tmp_path: Path, capsys, longer: str) -> None:
    """One machine with pieces is enough."""
    put(tmp_path, "fan", [f"{number}@00010.000" for number in range(12)], longer)
    put(tmp_path, "pump", [f"{number}" for number in range(12)], longer)
    assert main(call(tmp_path)) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert ("± " in last) == (longer == "cut"), last
    assert ("(no interval: clips are pieces of recordings; scores.csv has " in last) == (longer == "split"), last


def test_the_files_of_a_package_are_checked_too(tmp_path: Path, capsys) -> None:
    put(tmp_path, "fan", [f"{number}" for number in range(12)])
    (tmp_path / "scored/notes.txt").touch()
    assert main(call(tmp_path)) == 0
    (tmp_path / "scored/scored.meta.yaml").touch()
    capsys.readouterr()
    assert main(call(tmp_path)) == 2
    said = f"asdlib: error: {tmp_path}/scored/notes.txt: does not belong in a submission: remove it\n"
    assert capsys.readouterr().err == said


def test_a_folder_without_prepared_clips_is_refused(tmp_path: Path, capsys) -> None:
    assert main(call(tmp_path)) == 2
    said = f"{tmp_path}/clips: contains no prepared clips: give results/audio/raw/<dataset>"
    assert capsys.readouterr().err == f"asdlib: error: {said}\n"


@pytest.mark.parametrize(
    ("given", "missing"),
    [("--truth a", "--scores"), ("--scores a", "one of the arguments --truth --clips is required")],
)
def test_what_is_missing_is_named(given: str, missing: str, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", *given.split()])
    assert missing in capsys.readouterr().err


def test_the_year_belongs_to_prepared_clips(capsys) -> None:
    assert main(["evaluate", "--scores", "a", "--truth", "b", "--year", "2020"]) == 2
    said = "asdlib: error: --year: the form of --truth tells the year: leave --year out\n"
    assert capsys.readouterr().err == said


def test_a_machine_of_two_sections_has_a_row_of_their_means() -> None:
    two = {"00": {"AUC": 0.5, "pAUC": 0.6}, "01": {"AUC": 0.7, "pAUC": 0.8}}
    means = {"fan": {"AUC": 0.6, "pAUC": 0.7}, "pump": {"AUC": 0.9, "pAUC": 0.9}, "all": {"AUC": 0.7, "pAUC": 0.76667}}
    machines = {
        "fan": {"sections": two, "arithmetic mean": means["fan"]},
        "pump": {"sections": {"00": means["pump"]}, "arithmetic mean": means["pump"]},
    }
    printed = table({"machines": machines, "overall": {"arithmetic mean": means["all"]}}).splitlines()[1:]
    assert [" ".join(line.split()) for line in printed] == [
        "fan 00 50.00 60.00", "fan 01 70.00 80.00", "fan all 60.00 70.00", "pump 00 90.00 90.00",
        "arithmetic mean 70.00 76.67",
    ]  # fmt: skip
