"""`asdlib check`: what it prints, its JSON and its exit code."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.checkout import ROOT
from helpers.toy_recordings import make_machine, write_wav

from asdlib.cli import main
from asdlib.commands.check_table import levels_are_of, recordings_table, systems_lines
from asdlib.data.checks.groups import Group
from asdlib.planning.requirements import Verdict

SETTINGS = ("--config", "prepare={seconds: 0.2}")
TRAIN = "fan/train/section_00_source_train_normal_0001_noAttribute.wav"


@pytest.fixture
def recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(ROOT)
    for seed, machine in enumerate(("fan", "pump")):
        make_machine(
            tmp_path / "recs" / machine, train=2, test=1, seconds=0.2, supplement=None, attributes=False, seed=seed
        )
    return tmp_path / "recs"


def test_clean_recordings(recordings: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["check", str(recordings), *SETTINGS]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == f"recs: {recordings} (layout challenge)"
    assert lines[3].split()[:10] == ["fan", "00", "train", "source", "normal", "2", "2", "0.2", "16000", "1"]
    assert lines[-1] == "0 errors, 0 warnings, 0 notes"
    assert "baseline (mse, mahalanobis): can run" in lines
    assert printed.err == ""


def test_the_table_has_levels_and_says_of_what() -> None:
    heard = Group("fan", "00", "train", None, None, 3, 5, (0.2, 0.5), [8000, 16000], [1, 2], 2,
                  -23.04, (-30.06, -20.04), -6.02, 0.0943)  # fmt: skip
    silent = replace(heard, heard=0, rms=None, rms_range=None, peak=None, clipped=None)
    table = recordings_table([heard, silent]).splitlines()
    assert table[1].startswith("fan      00       train  –       –               3      5"), "words left, figures right"
    rows = [" ".join(line.split()) for line in table]
    same = "fan 00 train – – 3 5 0.2 to 0.5 8000, 16000 1, 2"
    assert rows[1:] == [f"{same} -23.0 (-30.1 to -20.0) -6.0 9.4", f"{same} – – –"]
    part = ", of 2 of 6 recordings and up to 60 s of each (--all: of everything)."
    assert levels_are_of([heard, silent], everything=False).endswith(f"share of samples at full scale{part}")
    assert levels_are_of([heard, silent], everything=True).endswith("share of samples at full scale.")


def test_variants_of_a_system_that_are_alike_share_their_lines() -> None:
    alike = [Verdict("a", variant, [], ["fan: few clips"]) for variant in ("1", "2")]
    verdicts = [*alike, Verdict("a", "3", ["pump: one channel"], []), Verdict("b", "3", [], [])]
    assert systems_lines(verdicts) == [
        "a (1, 2): can run", "  fan: few clips",
        "a (3): cannot run", "  because of pump: one channel",
        "b (3): can run",
    ]  # fmt: skip


def test_an_error_is_exit_1_and_settings_are_collected(recordings: Path, capsys: pytest.CaptureFixture) -> None:
    noise = np.random.default_rng(1).standard_normal((3200, 2))
    write_wav(recordings / TRAIN, 1e-4 * noise[:, 0])
    write_wav(recordings / TRAIN.replace("fan", "pump"), 0.1 * noise, rate=8000)
    assert main(["check", str(recordings), *SETTINGS]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "Settings for a file after --configfile: prepare: {downmix: true, resample: true, longer: split}" in lines
    assert "Systems, once the errors are mended:" in lines
    assert lines[-1] == "1 error, 2 warnings, 0 notes"
    levels = [line.partition(":")[0] for line in lines if line.startswith(("error: ", "warning: "))]
    assert levels == ["error", "warning", "warning"]
    assert [line for line in lines if line.endswith(" (--all: of everything).")]
    allowed = "prepare={seconds: 0.2, downmix: true, resample: true}"
    assert main(["check", str(recordings), "--all", "--longer", "split", "--config", allowed]) == 0
    printed = capsys.readouterr().out
    assert ": split into 2 clips of 0.2 s" in printed
    assert "(--all: of everything)" not in printed


def test_json(recordings: Path, capsys: pytest.CaptureFixture) -> None:
    write_wav(recordings / TRAIN, np.zeros(3200))
    assert main(["check", str(recordings), "--json", "--all", *SETTINGS]) == 1
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found.keys() == {"datasets", "groups", "problems", "systems"}
    assert found["datasets"][0]["machines"] == ["fan", "pump"]
    assert found["groups"][0]["rms_range"][0] is None  # digital silence
    assert [one["level"] for one in found["problems"]] == ["error"]
    assert found["problems"][0]["line"].startswith(f"{recordings / TRAIN}: is digital silence: ")
    assert {one["system"]: one["runs"] for one in found["systems"]}["baseline"] is True


def test_a_table_without_a_file(recordings: Path, capsys: pytest.CaptureFixture) -> None:
    table = recordings / "clips.csv"
    table.write_text("file,split\nnone.wav,train\nnone2.wav,test\n")
    assert main(["check", str(table)]) == 1
    line = f"error: {table}, line 2: there is no file {recordings}/none.wav (and 1 more): correct the column file"
    assert line in capsys.readouterr().out.splitlines()


def test_a_misnamed_column_of_labels_is_a_warning(recordings: Path, capsys: pytest.CaptureFixture) -> None:
    """It is said once, whatever the number of machines."""
    table = recordings / "clips.csv"
    rows = [
        f"{sound.relative_to(recordings)};{machine};{('OK', 'NOK')[number % 2]};{1200 + number}"
        for machine in ("fan", "pump")
        for number, sound in enumerate(sorted((recordings / machine).rglob("*.wav")))
    ]
    table.write_text("\n".join(["file;machine;Zustand;Drehzahl", *rows]))
    assert main(["check", str(table), *SETTINGS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{table}: attributes: Zustand (NOK, OK), Drehzahl (1200, 1201, 1202, …)" in lines
    assert "Systems:" in lines, "there are no errors to mend"
    (warning,) = [line for line in lines if line.startswith("warning: ")]
    assert warning.startswith(f"warning: {table}: column Zustand (NOK, OK) is taken as an attribute, but looks like a ")
    assert lines[-1].startswith("0 errors, 1 warning, ")


def test_a_folder_that_is_not_understood(tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.chdir(ROOT)
    write_wav(tmp_path / "recs/fan/Training/a.wav", np.ones(2))
    assert main(["check", str(tmp_path / "recs")]) == 1
    error, warning = capsys.readouterr().out.strip().splitlines()[:2]
    assert error.startswith(f"error: config: data: {tmp_path}/recs contains no machine: expected ")
    assert warning.startswith(f"warning: {tmp_path}/recs/fan/Training: 1 × .wav is not used: ")


def test_a_table_that_an_option_has_taken_is_named(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(ROOT)
    (tmp_path / "clips.csv").write_text("file\na.wav\n")
    assert main(["check", "--configfile", "config/demo.yaml", f"{tmp_path}/clips.csv"]) == 2
    said = f"--configfile: {tmp_path}/clips.csv: is not a config file: put it before the options"
    assert capsys.readouterr().err == f"asdlib: error: {said}\n"


def test_a_mistake_in_the_config_is_no_matter_of_the_recordings(recordings: Path, capsys) -> None:
    assert main(["check", str(recordings), "--config", "prepare={secs: 2}"]) == 2
    assert capsys.readouterr().err.startswith("asdlib: error: config: prepare.secs: unknown key: use one of: ")


def test_the_library_says_its_warnings_again_afterwards(recordings: Path) -> None:
    logger = logging.getLogger("asdlib")
    before = list(logger.handlers), logger.propagate
    main(["check", str(recordings), *SETTINGS])
    assert (list(logger.handlers), logger.propagate) == before
