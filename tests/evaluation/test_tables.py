"""The tables: official metrics, reported figures, several seeds, and data without labels."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.official import SCORE_COLUMNS
from sklearn.metrics import roc_auc_score

from asdlib.cli import main
from asdlib.data.tables import clip_rows, writing
from asdlib.errors import AsdError
from asdlib.evaluation.jackknife import official_ci95
from asdlib.evaluation.reported import load_reported, nothing_reported
from asdlib.evaluation.score_table import read_clip_scores, read_score_table
from asdlib.evaluation.tables import Section, TableSettings, VariantScores, make_tables, write_table
from asdlib.scoring.score_files import write_decisions, write_scores
from asdlib.scoring.training_scores import TrainingScores, training_scores_path, write_refusal, write_training_scores

MACHINES = ("fan", "valve")
SPEED = {"spd": "3", "mic": "1"}
CELLS = [(domain, label) for domain in ("source", "target") for label in ("normal", "anomaly")]


def prepared(
    machine: str,
    labelled: bool = True,
    attributes: dict[str, str] = SPEED,
    domains: bool = True,
    kept: list[tuple[str, str]] = CELLS,
    unlabelled: Iterable[int] = (),
) -> list[dict]:
    """Write three training clips of a machine and five test clips per domain and label; return the test clips."""
    rows = []
    for kind, cells, count in (("train", [("source", "normal")], 3), ("test", kept, 5)):
        for domain, label in cells:
            for number in range(count):
                name = f"section_00_{domain}_{kind}_{label}_{number:04d}"
                known = labelled or kind == "train"
                rows.append(
                    {
                        "clip": name, "section": "00", "domain": domain if known and domains else None, "split": kind,
                        "label": label if known else None, "attributes": attributes, "kind": kind,
                        "samples": 1, "recorded_samples": 1, "frames": None,
                        "source_file": f"{machine}/{kind}/{name}.wav",
                    }
                )  # fmt: skip
    for number in unlabelled:  # of the test clips
        rows[3 + number]["label"] = None
    with writing(Path(f"results/audio/raw/toy/{machine}.parquet"), {}, audio=("int16", (1,))) as table:
        for kind in ("train", "test"):
            chosen = [row for row in rows if row["kind"] == kind]
            table.write(clip_rows(chosen), audio=np.zeros((len(chosen), 1), np.int16))
    return [row for row in rows if row["kind"] == "test"]


def scored(machine: str, clips: list[dict], folder: Path, seed: int, quantile: float | None = 0.9) -> list[float]:
    random = np.random.default_rng([seed, len(machine)])
    scores = [float(random.normal() + (clip["label"] == "anomaly")) for clip in clips]
    names = [f"{clip['clip']}.wav" for clip in clips]
    write_scores(folder, machine, "00", zip(names, scores, strict=True))
    write_decisions(folder, machine, "00", zip(names, (value > 1 for value in scores), strict=True))
    write_training_scores(training_scores_path(folder, machine, "00"), TrainingScores(1.0, quantile, [], [], []))
    return scores


def made(*seeds: int, reported: pd.DataFrame | None = None, year: int | None = None) -> tuple[list[dict], list[dict]]:
    """Return the rows of scores.csv and clips.csv."""
    variants = [VariantScores("mse", seed, "r", {"toy": f"results/baseline/mse/toy/{seed}"}) for seed in seeds]
    settings = TableSettings(
        "baseline", variants, [Section("toy", machine, "00") for machine in MACHINES], {"toy": year}
    )
    scores, clips, _ = make_tables(settings, nothing_reported() if reported is None else reported)
    return scores.to_dict("records"), clips.to_dict("records")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_figures_are_the_official_ones_in_percent() -> None:
    clips = {machine: prepared(machine) for machine in MACHINES}
    scores = {machine: scored(machine, clips[machine], Path("results/baseline/mse/toy/1"), 1) for machine in MACHINES}
    rows, _ = made(1)
    assert [row["machine"] for row in rows] == [*MACHINES, "all"]
    values = []
    for row, machine in zip(rows, MACHINES, strict=False):
        truth = np.array([clip["label"] == "anomaly" for clip in clips[machine]])
        source = np.array([clip["domain"] == "source" for clip in clips[machine]])
        given = np.array(scores[machine])
        chosen = [truth | source, truth | ~source]
        expected = [100 * roc_auc_score(truth[part], given[part]) for part in chosen]
        expected.append(100 * roc_auc_score(truth, given, max_fpr=0.1))
        found = [row[name] for name in ("auc_source", "auc_target", "pauc")]
        assert found == pytest.approx(expected, abs=1e-4)
        assert (row["n_train"], row["n_test"]) == (3, 20)
        values += expected
    assert rows[-1]["hmean"] == pytest.approx(len(values) / sum(1 / value for value in values), abs=1e-3)
    assert (rows[-1]["n_train"], rows[-1]["n_test"], rows[-1]["section"]) == (6, 40, "")


def test_every_figure_has_the_interval_of_the_jackknife() -> None:
    """The interval of a row comes from leaving out each of its clips in turn, that of `all` from all clips."""
    arrays = []
    for machine in MACHINES:
        clips = prepared(machine)
        scores = scored(machine, clips, Path("results/baseline/mse/toy/1"), 1)
        labels = np.array([clip["label"] == "anomaly" for clip in clips]).astype(int)
        arrays.append((labels, np.array([clip["domain"] for clip in clips]), np.array(scores)))
    rows, _ = made(1)
    for row, sections in zip(rows, [arrays[:1], arrays[1:], arrays], strict=True):
        half_width = 100 * official_ci95(sections)
        ends = [max(row["hmean"] - half_width, 0.0), min(row["hmean"] + half_width, 100.0)]
        assert [row["hmean_low"], row["hmean_high"]] == pytest.approx(ends, abs=2e-4)
        for figure in ("auc_source", "auc_target", "pauc"):
            assert 0 <= row[f"{figure}_low"] <= row[figure] <= row[f"{figure}_high"] <= 100
    labels, domains, scores = arrays[0]
    source = [
        100 * roc_auc_score(np.delete(labels, i)[use], np.delete(scores, i)[use])
        for i in range(20)
        for use in [(np.delete(domains, i) == "source") | (np.delete(labels, i) == 1)]
    ]
    half_width = 2.0930 * np.sqrt(19 * np.var(source))  # Student's 97.5 % quantile for 19 degrees of freedom
    assert rows[0]["auc_source_low"] == pytest.approx(rows[0]["auc_source"] - half_width, abs=2e-3)


def by_definition(year: int, machine: str, clips: list[dict], scores: list[float]) -> dict[str, float]:
    """Return the figures of a machine by the definition of 2020 or 2021, written anew."""
    label = np.array([clip["label"] == "anomaly" for clip in clips])
    domain = np.array([clip["domain"] for clip in clips])
    given = np.array(scores)
    parts = {"": label | True} if year == 2020 else {"_source": domain == "source", "_target": domain == "target"}
    areas = {f"auc{name}": 100 * roc_auc_score(label[use], given[use]) for name, use in parts.items()}
    return areas | {
        f"pauc{name}": 100 * roc_auc_score(label[use], given[use], max_fpr=0.1) for name, use in parts.items()
    }


@pytest.mark.parametrize("year", [2020, 2021])
def test_earlier_years_have_their_own_definitions(year: int) -> None:
    clips = {machine: prepared(machine) for machine in MACHINES}
    scores = {machine: scored(machine, clips[machine], Path("results/baseline/mse/toy/1"), 1) for machine in MACHINES}
    rows, _ = made(1, year=year)
    assert {row["metric"] for row in rows} == {str(year)}
    expected = [by_definition(year, machine, clips[machine], scores[machine]) for machine in MACHINES]
    mean, score = (np.mean, "amean") if year == 2020 else (lambda v: len(v) / sum(1 / x for x in v), "hmean")
    for row, areas in zip(rows, expected, strict=False):
        assert {name: row[name] for name in areas} == pytest.approx(areas, abs=1e-4)
        assert row[score] == pytest.approx(mean(list(areas.values())), abs=1e-4)
    for name in expected[0]:
        assert rows[-1][name] == pytest.approx(mean([areas[name] for areas in expected]), abs=1e-4)
    assert rows[-1][score] == pytest.approx(mean([value for areas in expected for value in areas.values()]), abs=1e-4)
    others = {"auc", "amean", "auc_source", "auc_target", "pauc", "pauc_source", "pauc_target", "hmean"}
    others -= {"auc", "pauc"}  # of all clips: in every table
    assert not (others - set(expected[0]) - {score}) & set(rows[0]), "columns of other definitions"
    assert {row["mean_of"] for row in rows} == {" ".join(expected[0])}
    write_table(pd.DataFrame(rows), Path("scores.csv"))
    table = read_score_table(Path("scores.csv"))
    assert table[score].tolist() == [row[score] for row in rows]
    assert table[["hmean", "amean"]].isna().sum().sum() == len(rows)


def test_2020_needs_no_domains() -> None:
    for machine in MACHINES:
        scored(machine, prepared(machine, domains=False), Path("results/baseline/mse/toy/1"), 1)
    assert not any(np.isnan(row["amean"]) for row in made(1, year=2020)[0])
    assert {row["mean_of"] for row in made(1, year=2021)[0]} == {"auc pauc"}, "another mean than that of 2021"


def all_clips(clips: list[dict], scores: list[float]) -> dict[str, float]:
    """Return the AUC and pAUC of all labelled clips, written anew."""
    known = [(clip["label"] == "anomaly", score) for clip, score in zip(clips, scores, strict=True) if clip["label"]]
    truth, given = zip(*known, strict=True)
    return {"auc": 100 * roc_auc_score(truth, given), "pauc": 100 * roc_auc_score(truth, given, max_fpr=0.1)}


def test_without_domains_there_are_the_figures_of_all_clips() -> None:
    folder = Path("results/baseline/mse/toy/1")
    areas = []
    for machine in MACHINES:
        clips = prepared(machine, domains=False)
        areas.append(all_clips(clips, scored(machine, clips, folder, 1)))
    rows, _ = made(1)
    for row, expected in zip(rows, areas, strict=False):
        assert {name: row[name] for name in expected} == pytest.approx(expected, abs=1e-4)
        assert row["hmean"] == pytest.approx(2 / sum(1 / value for value in expected.values()), abs=1e-4)
        assert row["auc_low"] < row["auc"] < row["auc_high"]
    assert rows[-1]["auc"] == pytest.approx(2 / sum(1 / one["auc"] for one in areas), abs=1e-4)
    assert rows[-1]["hmean"] == pytest.approx(4 / sum(1 / v for one in areas for v in one.values()), abs=1e-4)
    assert {row["mean_of"] for row in rows} == {"auc pauc"}
    assert all(np.isnan(row[name]) for row in rows for name in ("auc_source", "auc_target"))


def test_one_domain_alone_has_its_own_figures_and_a_mean_that_says_so() -> None:
    """One machine has no target clips: the row of both has the means of what both have."""
    folder = Path("results/baseline/mse/toy/1")
    scored("fan", prepared("fan"), folder, 1)
    scored("valve", prepared("valve", kept=[("source", "normal"), ("source", "anomaly")]), folder, 1)
    fan, valve, overall = made(1)[0]
    assert valve["mean_of"] == overall["mean_of"] == "auc_source pauc"
    assert fan["mean_of"] == "auc_source auc_target pauc"
    assert valve["auc_source"] == valve["auc"]
    assert np.isnan(valve["auc_target"]) and np.isnan(overall["auc_target"])  # noqa: PT018
    assert overall["auc_source"] == pytest.approx(2 / (1 / fan["auc_source"] + 1 / valve["auc_source"]), abs=1e-3)


def test_figures_are_those_of_the_clips_with_labels() -> None:
    folder = Path("results/baseline/mse/toy/1")
    for machine in MACHINES:
        clips = prepared(machine, unlabelled=range(4, 20, 5))
        areas = all_clips(clips, scored(machine, clips, folder, 1))
    row = made(1)[0][1]
    assert {name: row[name] for name in areas} == pytest.approx(areas, abs=1e-4)
    assert (row["n_test"], row["n_labelled"], row["note"]) == (20, 16, "4 of 20 test clips have no label")


def test_decisions_are_counted_on_labelled_clips(caplog: pytest.LogCaptureFixture) -> None:
    """Written anew; the threshold is 1."""
    folder = Path("results/baseline/mse/toy/1")
    rates = []
    for machine in MACHINES:
        clips = prepared(machine, kept=CELLS if machine == "fan" else [("source", "normal")])
        values = scored(machine, clips, folder, 1)
        above = {label: [v > 1 for v, c in zip(values, clips, strict=True) if c["label"] == label]
                 for label in ("normal", "anomaly")}  # fmt: skip
        hits, alarms = sum(above["anomaly"]), sum(above["normal"])
        rates.append((alarms / len(above["normal"]), hits / max(len(above["anomaly"]), 1), hits / (hits + alarms)))
    with caplog.at_level("INFO"):
        fan, valve, overall = made(1)[0]
    false_alarms, recall, precision = rates[0]
    assert [fan[name] for name in ("false_alarms", "recall", "precision", "f1", "promised")] == pytest.approx(
        [100 * false_alarms, 100 * recall, 100 * precision, 200 * precision * recall / (precision + recall), 10.0]
    )
    assert valve["false_alarms"] == pytest.approx(100 * rates[1][0])
    assert np.isnan(valve["recall"]) and np.isnan(valve["hmean"])  # noqa: PT018
    assert overall["false_alarms"] == pytest.approx(50 * (rates[0][0] + rates[1][0]))
    told = f"toy/fan 00 {100 * rates[0][0]:.0f} % of 10, toy/valve 00 {100 * rates[1][0]:.0f} % of 5"
    assert f"baseline mse, seed 1: false alarms among normal test clips, 10 % promised: {told}" in caplog.text


def test_a_threshold_without_a_promise_has_none_and_breaks_none(caplog) -> None:
    for machine in MACHINES:
        scored(machine, prepared(machine), Path("results/baseline/mse/toy/1"), 1, quantile=None)
    with caplog.at_level("INFO"):
        rows = made(1)[0]
    assert np.isnan([row["promised"] for row in rows]).all()
    assert max(row["false_alarms"] for row in rows) > 0
    assert "false alarms among normal test clips, no rate promised: toy/fan 00" in caplog.text
    assert "more than twice" not in caplog.text


def test_few_training_clips_promise_less_than_many(caplog) -> None:
    folder = Path("results/baseline/mse/toy/1")
    for machine, quantile in zip(MACHINES, (0.9, 6 / 7), strict=True):
        scored(machine, prepared(machine), folder, 1, quantile=quantile)
    with caplog.at_level("INFO"):
        fan, valve, overall = made(1)[0]
    assert (fan["promised"], valve["promised"]) == (10, 14.2857)
    assert overall["promised"] == pytest.approx(12.1429, abs=1e-4)
    assert "false alarms among normal test clips, 10 to 14.3 % promised: toy/fan 00" in caplog.text


@pytest.mark.parametrize(("promised", "warned"), [(10, True), (15, False), (20, False)])
def test_a_threshold_that_breaks_its_promise_is_named(caplog, promised: int, warned: bool) -> None:
    folder = Path("results/baseline/mse/toy/1")
    for machine in MACHINES:
        scored(machine, prepared(machine), folder, 1, quantile=1 - promised / 100)
    names = [
        f"section_00_{domain}_test_normal_{number:04d}.wav" for domain in ("source", "target") for number in range(5)
    ]
    others = [name.replace("normal", "anomaly") for name in names]
    decisions = [(name, number in (1, 4, 7)) for number, name in enumerate(names)] + [(name, 0) for name in others]
    write_decisions(folder, "fan", "00", decisions)
    write_decisions(folder, "valve", "00", [(name, 0) for name, _ in decisions])
    assert {row["promised"] for row in made(1)[0]} == {promised}
    assert ("more than twice the promised 10 %" in caplog.text) == warned
    assert not warned or "exceed the threshold: toy/fan 00 30 % of 10 (docs" in caplog.text


def test_a_machine_that_a_variant_refuses_has_a_row_that_says_so() -> None:
    folder = Path("results/baseline/mse/toy/1")
    for machine in MACHINES:
        scored(machine, prepared(machine), folder, 1)
    write_scores(folder, "valve", "00", [])
    write_decisions(folder, "valve", "00", [])
    write_refusal(training_scores_path(folder, "valve", "00"), "too few clips: add some")
    (fan, valve, overall), clips = made(1)
    assert (fan["note"], fan["n_test"]) == ("", 20)
    assert not np.isnan(fan["hmean"])
    assert (valve["note"], valve["n_test"], valve["n_train"]) == ("not scored: too few clips: add some", 0, 3)
    assert np.isnan(valve["hmean"]) and np.isnan(overall["hmean"])  # noqa: PT018
    assert overall["note"] == "see valve 00"
    assert {clip["machine"] for clip in clips} == {"fan"}
    write_table(pd.DataFrame([fan, valve, overall]), Path("scores.csv"))
    assert read_score_table(Path("scores.csv"))["note"].tolist() == ["", valve["note"], "see valve 00"]


def test_a_refusal_of_one_seed_leaves_no_mean() -> None:
    clips = {machine: prepared(machine) for machine in MACHINES}
    for seed in (1, 2):
        for machine in MACHINES:
            scored(machine, clips[machine], Path(f"results/baseline/mse/toy/{seed}"), seed)
    write_refusal(training_scores_path(Path("results/baseline/mse/toy/2"), "valve", "00"), "no fit: add clips")
    rows = [row for row in made(1, 2)[0] if row["seed"] == "mean"]
    assert [np.isnan(row["hmean"]) for row in rows] == [False, True, True]
    assert [row["note"] for row in rows] == ["", "not scored: no fit: add clips", "see valve 00"]


@pytest.mark.parametrize("kept", [CELLS, CELLS[:2]], ids=["no domains", "source only"])
def test_the_command_evaluate_agrees_with_the_table(kept: list[tuple[str, str]], capsys) -> None:
    folder = Path("results/baseline/mse/toy/1")
    for number, machine in enumerate(MACHINES):
        clips = prepared(machine, domains=kept != CELLS, kept=kept, unlabelled=range(number))
        scored(machine, clips, folder, 1)
    fan, _, overall = made(1)[0]
    call = ["evaluate", "--scores", str(folder), "--clips", "results/audio/raw/toy"]
    assert main([*call, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert 100 * result["score"] == pytest.approx(overall["hmean"], abs=1e-3)
    names = [{"auc": "AUC", "pauc": "pAUC", "auc_source": "AUC (source)"}[name] for name in fan["mean_of"].split()]
    assert result["mean_of"] == names
    values = result["machines"]["fan"]["sections"]["00"]
    assert [100 * values[name] for name in names] == pytest.approx(
        [fan[one] for one in fan["mean_of"].split()], abs=1e-3
    )
    end = "" if kept == CELLS else " (source)"
    assert 100 * values[f"F1 score{end}"] == pytest.approx(fan["f1"], abs=1e-3)
    assert main(call) == 0
    head, *_, score = capsys.readouterr().out.splitlines()
    assert head.split("  ")[-1].strip() == f"F1 score{end}"
    assert score.startswith(f"mean of {', '.join(names)} (domains are missing) {overall['hmean']:.2f} ± ")


def test_the_command_evaluate_checks_clips_without_labels(capsys) -> None:
    folder = Path("results/baseline/mse/toy/1")
    for machine in MACHINES:
        scored(machine, prepared(machine, unlabelled=range(20) if machine == "valve" else ()), folder, 1)
    assert main(["evaluate", "--scores", str(folder), "--clips", "results/audio/raw/toy"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(
        f"{folder}: 40 clips of 2 sections are valid; no figures without labels (valve section 00: "
    )


def test_every_clip_has_a_row() -> None:
    for machine in MACHINES:
        scored(machine, prepared(machine), Path("results/baseline/mse/toy/1"), 1)
    _, clips = made(1)
    assert len(clips) == 40
    assert clips[0]["attributes"] == "spd=3;mic=1"
    assert clips[0]["clip"].endswith(".wav")
    assert {clip["decision"] for clip in clips} == {0, 1}


def test_reported_figures_stand_beside_their_dataset_only() -> None:
    for machine in MACHINES:
        scored(machine, prepared(machine), Path("results/baseline/mse/toy/1"), 1)
    header = "variant,dataset,machine,auc_source,auc_target,pauc,hmean,note\n"
    Path("toy.csv").write_text(header + "mse,toy,fan,50,40,60,,\nmse,toy,valve,80,70,60,,\nmse,other,fan,1,2,3,,\n")
    rows, _ = made(1, reported=load_reported(Path("toy.csv")))
    assert [row["reported_auc_source"] for row in rows] == [50.0, 80.0, 61.5385]
    assert np.isnan(rows[0]["reported_hmean"])
    assert rows[-1]["reported_hmean"] == pytest.approx(6 / sum(1 / v for v in (50, 40, 60, 80, 70, 60)), abs=1e-3)


def test_overall_figures_that_a_report_prints_stand_where_its_machines_are_incomplete() -> None:
    for machine in MACHINES:
        scored(machine, prepared(machine), Path("results/baseline/mse/toy/1"), 1)
    header = "variant,dataset,machine,auc_source,auc_target,pauc,hmean,note\n"
    Path("toy.csv").write_text(header + "mse,toy,fan,50,40,,,\nmse,toy,all,,,,51.5,printed\n")
    rows, _ = made(1, reported=load_reported(Path("toy.csv")))
    assert [row["reported_hmean"] for row in rows[:2]] == pytest.approx([np.nan, np.nan], nan_ok=True)
    assert rows[-1]["reported_hmean"] == 51.5


def test_several_seeds_add_mean_and_deviation() -> None:
    for machine in MACHINES:
        clips = prepared(machine)
        for seed in (1, 2, 3):
            scored(machine, clips, Path(f"results/baseline/mse/toy/{seed}"), seed)
    rows, _ = made(1, 2, 3)
    fan = [row for row in rows if row["machine"] == "fan"]
    assert [row["seed"] for row in fan] == [1, 2, 3, "mean", "sd"]
    assert [row["recipe"] for row in fan] == ["r", "r", "r", "", ""], "of one seed each"
    values = [row["auc_source"] for row in fan[:3]]
    assert fan[3]["auc_source"] == pytest.approx(np.mean(values), abs=1e-3)
    assert fan[4]["auc_source"] == pytest.approx(np.std(values, ddof=1), abs=1e-3)
    widths = [row["auc_source_high"] - row["auc_source_low"] for row in fan]
    assert 0 < widths[3] < max(widths[:3]), "of the mean, over clips; the seeds differ"
    assert np.isnan(widths[4])


def test_without_labels_the_figures_stay_empty_and_the_clips_remain(caplog: pytest.LogCaptureFixture) -> None:
    scored("fan", prepared("fan"), Path("results/baseline/mse/toy/1"), 1)
    scored("valve", prepared("valve", labelled=False), Path("results/baseline/mse/toy/1"), 1)
    rows, clips = made(1)
    assert [np.isnan(row["hmean"]) for row in rows] == [False, True, True]
    assert "toy/valve section 00: no metrics: no test clips with both labels: label them" in caplog.text
    assert len(clips) == 40


def test_attributes_and_names_are_no_formulas_and_are_read_back() -> None:
    folder = Path("results/baseline/mse/toy/1")
    hostile = {"=cmd|' /C calc'!A0": "1", "@x": "-2", "-3": "'=y", "spd": "-1.5"}
    for machine in MACHINES:
        scored(machine, prepared(machine, attributes=hostile), folder, 1)
    scores, clips = made(1)
    shown = ";".join(f"{key}={value}" for key, value in hostile.items())
    assert {row["attributes"] for row in clips} == {shown}
    write_table(pd.DataFrame(clips), Path("clips.csv"))
    write_table(pd.DataFrame(scores).assign(recipe="=1+1"), Path("scores.csv"))
    written = pd.read_csv("clips.csv")
    assert set(written["attributes"]) == {"'=cmd|' /C calc'!A0=1;'@x=-2;'-3='=y;spd=-1.5"}
    assert written["anomaly_score"].tolist() == [row["anomaly_score"] for row in clips]
    assert min(written["anomaly_score"]) < 0
    assert "'=1+1" in Path("scores.csv").read_text()
    assert set(read_score_table(Path("scores.csv"))["recipe"]) == {"=1+1"}
    assert set(read_clip_scores(Path("clips.csv"))["attributes"]) == {shown}


@pytest.mark.parametrize("change", ["missing", "extra"])
def test_scores_of_other_clips_are_refused(change: str) -> None:
    for machine in MACHINES:
        scored(machine, prepared(machine), Path("results/baseline/mse/toy/1"), 1)
    path = Path("results/baseline/mse/toy/1/anomaly_score_fan_section_00_test.csv")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[1:]) if change == "missing" else "".join([*lines, "other.wav,1\n"]))
    with pytest.raises(AsdError, match=r"anomaly_score_fan.*is not both scored and among the test clips"):
        made(1)


@pytest.mark.parametrize("kind", ["anomaly_score", "decision_result"])
def test_scores_whose_last_number_may_be_cut_off_are_refused(kind: str) -> None:
    for machine in MACHINES:
        scored(machine, prepared(machine), Path("results/baseline/mse/toy/1"), 1)
    path = Path(f"results/baseline/mse/toy/1/{kind}_fan_section_00_test.csv")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        AsdError, match=rf"{kind}_fan.*: is damaged \(its last line is cut off\): delete it and run again"
    ):
        made(1)


# --- reading scores.csv back ----------------------------------------------------------------------------------------


def test_a_table_is_read_as_it_was_written() -> None:
    for machine in MACHINES:
        scored(machine, prepared(machine, labelled=machine == "fan"), Path("results/baseline/mse/toy/1"), 1)
    rows, _ = made(1)
    write_table(pd.DataFrame(rows), Path("scores.csv"))
    table = read_score_table(Path("scores.csv"))
    assert table["hmean"].tolist() == pytest.approx([row["hmean"] for row in rows], rel=0, abs=0, nan_ok=True)
    assert table["section"].tolist() == ["00", "00", ""]
    assert table["seed"].tolist() == ["1", "1", "1"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, r"cannot be read \(No such file or directory\): run `snakemake scores\.csv --cores 2` first"),
        (b"", r"is damaged \(it is empty\): delete it and run again"),
        (b"\xff\n", r"cannot be read \(.*utf-8.*\): delete it and run again"),
        (bytes(300), r"is damaged \(it contains zero bytes\): delete it and run again"),
        (b"system,variant", r"is damaged \(its last line is cut off\): delete it and run again"),
        (
            f"{','.join(SCORE_COLUMNS)}\n".encode(),
            r"is not a table of scores \(it has no rows\): name the scores.csv of a system",
        ),
        (b"a,b\n1,2,3\n1,2,3,4\n", r"is not a table of scores \(.* line 3, .*\): .*; if it is one, delete it and run"),
        (
            f"{','.join(SCORE_COLUMNS)}\n{',' * 5}2019{',' * (len(SCORE_COLUMNS) - 6)}\n".encode(),
            r"is not a table of scores \(there is no metric '2019'\): name the scores.csv of a system",
        ),
        (
            f"{','.join(SCORE_COLUMNS)}\n{',' * 5}2021{',' * (len(SCORE_COLUMNS) - 6)}\n".encode(),
            r"has no column pauc_source: name the scores\.csv of a system; if it is one, delete it and run again",
        ),
        (b"system,variant\n", r"has no column dataset: name the scores\.csv of a system; if it is one, delete it"),
        (
            f"{','.join(SCORE_COLUMNS)}\n{',' * 5}2022,many{',' * (len(SCORE_COLUMNS) - 7)}\n".encode(),
            r"is not a table of scores \(could not convert string to float: 'many'\): name the scores.csv of a system",
        ),
    ],
)
def test_what_is_no_table_of_scores_is_refused_in_one_line(content: bytes | None, words: str) -> None:
    path = Path("scores.csv")
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AsdError, match=f"^scores\\.csv: {words}") as caught:
        read_score_table(path)
    assert "\n" not in str(caught.value)
