"""Recordings as people have them: `asdlib check`, and a run from the files to the tables."""

import csv
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import soundfile
from helpers.checkout import Checkout, make_checkout
from helpers.toy_recordings import sound, write_wav

from asdlib.cli import main
from asdlib.data.layouts.folders import FORMS
from asdlib.data.pieces import recording_of

pytestmark = pytest.mark.workflow

SYSTEMS = ("baseline", "neighbours")  # a training of two epochs, which teach nothing; and one that needs none
SETTINGS = """
data: {data}
systems: [baseline, neighbours]
device: cpu
threads: 1
fork_jobs: false
memory: 1100
prepare: {prepare}
override: {{models: {{dense_ae: {{hidden: 8, training: {{epochs: 2, batch_size: 64}}}}}}}}
"""
SECOND = "{seconds: 1.0}"
MINUTE, RATE = 60, 44100
Rows = list[dict[str, str]]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def checkout_with(folder: Path, data: str, prepare: str) -> Checkout:
    return make_checkout(folder, SETTINGS.format(data=data, prepare=prepare))


def wav(folder: Path, name: str, rng: np.random.Generator) -> None:
    write_wav(folder / f"{name}.wav", sound(rng, 1.0, anomalous="abnormal" in name or "worn" in name))


def minute(path: Path, rng: np.random.Generator, anomalous: bool = False) -> None:
    """Write a recording of a minute in stereo at 44.1 kHz; the machine is to be heard in the second channel alone."""
    time = np.arange(MINUTE * RATE) / RATE
    machine = 0.1 * np.sin(2 * np.pi * 120 * time) + (0.05 * np.sin(2 * np.pi * 3000 * time) if anomalous else 0)
    channels = np.stack([np.zeros_like(time), machine], axis=1) + 0.02 * rng.standard_normal((len(time), 2))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, channels, RATE)


def checked(checkout: Checkout, capsys: pytest.CaptureFixture) -> list[str]:
    """Return what `asdlib check` says of the data; it finds no error."""
    with chdir(checkout.folder):
        assert main(["check", "--configfile", "settings.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith("can run")] != []
    return lines


def run(checkout: Checkout) -> str:
    return checkout.run(*(f"results/{system}/scores.csv" for system in SYSTEMS))


def table(checkout: Checkout, name: str, **wanted: str) -> Rows:
    """Return the rows of a table of both systems that have the wanted values."""
    found: Rows = []
    for system in SYSTEMS:
        with (checkout.folder / f"results/{system}/{name}.csv").open(encoding="utf-8", newline="") as handle:
            found += [row for row in csv.DictReader(handle) if wanted.items() <= row.items()]
    return found


def test_folders_as_mimii_has_them(tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture) -> None:
    checkout = checkout_with(tmp_path / "run", "mimii", SECOND)
    for unit in ("id_00", "id_02"):
        for number in range(10):
            wav(checkout.folder / "mimii" / "fan", f"{unit}/normal/{number:08d}", rng)
        for number in range(2):
            wav(checkout.folder / "mimii" / "fan", f"{unit}/abnormal/{number:08d}", rng)
    held = "2 of 10 normal recordings are held out as test clips (test_share), the last in the order of names"
    understood = f"mimii: layout mimii ({FORMS['mimii']}); every clip is of the source domain"
    for said in (checked(checkout, capsys), run(checkout).splitlines()):
        assert understood in said
        assert {line.partition("section ")[2] for line in said if held in line} == {
            f"{n}: {held}" for n in ("00", "02")
        }
    for variant in ("mse", "mahalanobis", "statistics"):
        rows = table(checkout, "scores", variant=variant)
        assert [row["section"] for row in rows] == ["00", "02", "all", ""]
        for row in rows[:2]:
            assert (row["machine"], row["n_train"], row["n_test"], row["n_normal"]) == ("fan", "8", "4", "2")
            assert (row["auc_target"], row["mean_of"]) == ("", "auc_source pauc")
            assert 0 <= float(row["auc"]) <= 100
        assert (rows[2]["machine"], rows[2]["n_train"], rows[2]["n_test"]) == ("fan", "16", "8")
    scores = table(checkout, "scores", variant="statistics")
    assert {row["auc"] for row in scores} == {"100.0"}, "neighbours does not hear the tone"


def test_a_table_of_long_recordings_in_stereo(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture
) -> None:
    """FLAC at 44.1 kHz. Only the second channel has the machine: with the first one, the AUC would be lower."""
    checkout = checkout_with(
        tmp_path / "run", "clips.csv", "{seconds: 10.0, longer: split, resample: true, channel: 1}"
    )
    rows = [(f"2025-03-0{day}/rec.flac", "train", "normal") for day in (1, 2, 3)]
    rows += [("2025-04-01/rec.flac", "test", "normal"), ("2025-04-02/rec.flac", "test", "anomaly")]
    for file, _, label in rows:
        minute(checkout.folder / file, rng, label == "anomaly")
    lines = [",".join(row) for row in (("file", "split", "label"), *rows)]
    (checkout.folder / "clips.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    said = checked(checkout, capsys)
    assert [line.split()[:10] for line in said if line.startswith("clips ")] == [
        ["clips", "00", split, "source", label, files, clips, "60", "44100", "2"]
        for split, label, files, clips in (
            ("train", "normal", "3", "18"),
            ("test", "anomaly", "1", "6"),
            ("test", "normal", "1", "6"),
        )
    ]
    printed = run(checkout)
    assert "clips.csv: no column machine: every row is of the machine clips" in printed.splitlines()
    scored = table(checkout, "scores", machine="clips")
    assert [row["variant"] for row in scored] == ["mse", "mahalanobis", "statistics"]
    for row in scored:
        assert (row["n_train"], row["n_test"], row["n_labelled"]) == ("18", "12", "12")
        assert row["auc"] == "100.0" or row["system"] == "baseline"
    clips = table(checkout, "clips", system="neighbours")
    offsets = [f"2025-04-01__rec@000{10 * number:02d}.000.flac" for number in range(6)]
    assert sorted(row["clip"] for row in clips if row["label"] == "normal") == offsets
    files = table(checkout, "files", system="neighbours")
    assert [row["file"] for row in files] == ["2025-04-01__rec.flac", "2025-04-02__rec.flac"]
    for row in files:
        scores = [float(clip["anomaly_score"]) for clip in clips if recording_of(clip["clip"]) == row["file"]]
        assert float(row["anomaly_score"]) == pytest.approx(np.mean(scores))
        assert float(row["max_score"]) == max(scores)


def test_one_folder_of_normal_clips_and_one_to_judge(
    tmp_path: Path, rng: np.random.Generator, capsys: pytest.CaptureFixture
) -> None:
    checkout = checkout_with(tmp_path / "run", "pump", SECOND)
    for number in range(10):
        wav(checkout.folder / "pump", f"normal/{number}", rng)
    for name in ("judge/monday", "judge/worn", "judge/tuesday"):
        wav(checkout.folder / "pump", name, rng)
    for said in (checked(checkout, capsys), run(checkout).splitlines()):
        assert [line for line in said if "layout flat" in line] != []
    rows = table(checkout, "scores", machine="pump")
    assert [row["variant"] for row in rows] == ["mse", "mahalanobis", "statistics"]
    for row in rows:
        assert (row["n_test"], row["n_labelled"], row["auc"]) == ("3", "0", "")
        assert row["note"] != ""
    scored = table(checkout, "clips")
    assert {row["label"] for row in scored} == {""}
    ranked = sorted(table(checkout, "clips", system="neighbours"), key=lambda row: -float(row["anomaly_score"]))
    assert ranked[0]["clip"] == "judge__worn.wav"
