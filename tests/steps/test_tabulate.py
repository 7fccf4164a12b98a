"""The tables: the official definitions, reported figures in the right rows, seeds, and data without labels."""

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from asdlib.data.tables import clip_rows, writing
from asdlib.errors import AsdError
from asdlib.scoring.score_files import write_decisions, write_scores
from asdlib.steps.tabulate import tabulate

MACHINES = ("fan", "valve")
CELLS = [(domain, label) for domain in ("source", "target") for label in ("normal", "anomaly")]


def prepared(machine: str, labelled: bool = True) -> list[dict]:
    """Write the prepared clips of a machine: three training clips, five test clips a cell."""
    rows = []
    for kind, cells, count in (("train", [("source", "normal")], 3), ("test", CELLS, 5)):
        for domain, label in cells:
            for number in range(count):
                name = f"section_00_{domain}_{kind}_{label}_{number:04d}"
                known = labelled or kind == "train"
                rows.append(
                    {
                        "clip": name, "section": "00", "domain": domain if known else None, "split": kind,
                        "label": label if known else None, "attributes": {"spd": "3", "mic": "1"}, "kind": kind,
                        "samples": 1, "recorded_samples": 1, "frames": None,
                        "source_file": f"{machine}/{kind}/{name}.wav",
                    }
                )  # fmt: skip
    with writing(Path(f"results/audio/raw/toy/{machine}.parquet"), {}, audio=("int16", (1,))) as table:
        for kind in ("train", "test"):
            chosen = [row for row in rows if row["kind"] == kind]
            table.write(clip_rows(chosen), audio=np.zeros((len(chosen), 1), np.int16))
    return [row for row in rows if row["kind"] == "test"]


def scored(machine: str, clips: list[dict], folder: Path, seed: int) -> list[float]:
    random = np.random.default_rng([seed, len(machine)])
    scores = [float(random.normal() + (clip["label"] == "anomaly")) for clip in clips]
    names = [f"{clip['clip']}.wav" for clip in clips]
    write_scores(folder, machine, "00", zip(names, scores, strict=True))
    write_decisions(folder, machine, "00", zip(names, (value > 1 for value in scores), strict=True))
    return scores


def settings(*seeds: int) -> dict:
    variants = [
        {"variant": "mse", "seed": seed, "recipe": "r", "folders": {"toy": f"results/baseline/mse/toy/{seed}"}}
        for seed in seeds
    ]
    places = [{"dataset": "toy", "machine": machine, "section": "00"} for machine in MACHINES]
    return {"system": "baseline", "variants": variants, "sections": places}


def made(reported: list[Path], *seeds: int) -> tuple[list[dict], list[dict]]:
    tabulate(reported, Path("scores.csv"), Path("clips.csv"), settings(*seeds))
    tables = []
    for name in ("scores.csv", "clips.csv"):
        with Path(name).open() as handle:
            tables.append(list(csv.DictReader(handle)))
    return tables[0], tables[1]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_figures_are_the_official_ones_in_percent() -> None:
    clips = {machine: prepared(machine) for machine in MACHINES}
    scores = {machine: scored(machine, clips[machine], Path("results/baseline/mse/toy/1"), 1) for machine in MACHINES}
    rows, _ = made([], 1)
    assert [row["machine"] for row in rows] == [*MACHINES, "all"]
    values = []
    for row, machine in zip(rows, MACHINES, strict=False):
        truth = np.array([clip["label"] == "anomaly" for clip in clips[machine]])
        source = np.array([clip["domain"] == "source" for clip in clips[machine]])
        given = np.array(scores[machine])
        chosen = [truth | source, truth | ~source]
        expected = [100 * roc_auc_score(truth[part], given[part]) for part in chosen]
        expected.append(100 * roc_auc_score(truth, given, max_fpr=0.1))
        found = [float(row[name]) for name in ("auc_source", "auc_target", "pauc")]
        assert found == pytest.approx(expected, abs=1e-4)
        assert (row["n_train"], row["n_test"]) == ("3", "20")
        values += expected
    assert float(rows[-1]["hmean"]) == pytest.approx(len(values) / sum(1 / value for value in values), abs=1e-3)
    assert (rows[-1]["n_train"], rows[-1]["n_test"], rows[-1]["section"]) == ("6", "40", "")


def test_every_clip_has_a_row() -> None:
    for machine in MACHINES:
        scored(machine, prepared(machine), Path("results/baseline/mse/toy/1"), 1)
    _, clips = made([], 1)
    assert len(clips) == 40
    assert clips[0]["attributes"] == "spd=3;mic=1"
    assert clips[0]["clip"].endswith(".wav")
    assert {clip["decision"] for clip in clips} == {"0", "1"}


def test_reported_figures_stand_beside_their_dataset_only() -> None:
    for machine in MACHINES:
        scored(machine, prepared(machine), Path("results/baseline/mse/toy/1"), 1)
    header = "variant,dataset,machine,auc_source,auc_target,pauc,hmean,note\n"
    Path("toy.csv").write_text(header + "mse,toy,fan,50,40,60,,\nmse,toy,valve,80,70,60,,\nmse,other,fan,1,2,3,,\n")
    rows, _ = made([Path("toy.csv")], 1)
    assert [row["reported_auc_source"] for row in rows] == ["50.0", "80.0", "61.5385"]
    assert rows[0]["reported_hmean"] == ""
    assert float(rows[-1]["reported_hmean"]) == pytest.approx(
        6 / sum(1 / v for v in (50, 40, 60, 80, 70, 60)), abs=1e-3
    )


def test_several_seeds_add_mean_and_deviation() -> None:
    for machine in MACHINES:
        clips = prepared(machine)
        for seed in (1, 2, 3):
            scored(machine, clips, Path(f"results/baseline/mse/toy/{seed}"), seed)
    rows, _ = made([], 1, 2, 3)
    fan = [row for row in rows if row["machine"] == "fan"]
    assert [row["seed"] for row in fan] == ["1", "2", "3", "mean", "sd"]
    values = [float(row["auc_source"]) for row in fan[:3]]
    assert float(fan[3]["auc_source"]) == pytest.approx(np.mean(values), abs=1e-3)
    assert float(fan[4]["auc_source"]) == pytest.approx(np.std(values, ddof=1), abs=1e-3)


def test_without_labels_the_figures_stay_empty_and_the_clips_remain(caplog: pytest.LogCaptureFixture) -> None:
    scored("fan", prepared("fan"), Path("results/baseline/mse/toy/1"), 1)
    scored("valve", prepared("valve", labelled=False), Path("results/baseline/mse/toy/1"), 1)
    rows, clips = made([], 1)
    assert [bool(row["hmean"]) for row in rows] == [True, False, False]
    assert "toy/valve section 00: no metrics" in caplog.text
    assert len(clips) == 40


@pytest.mark.parametrize("change", ["missing", "extra"])
def test_scores_of_other_clips_are_refused(change: str) -> None:
    for machine in MACHINES:
        scored(machine, prepared(machine), Path("results/baseline/mse/toy/1"), 1)
    path = Path("results/baseline/mse/toy/1/anomaly_score_fan_section_00_test.csv")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[1:]) if change == "missing" else "".join([*lines, "other.wav,1\n"]))
    with pytest.raises(AsdError, match=r"anomaly_score_fan.*is not both scored and among the test clips"):
        made([], 1)
