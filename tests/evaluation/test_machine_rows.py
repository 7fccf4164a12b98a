"""The rows of machines with several sections: between their sections and the row of the dataset."""

import json
from pathlib import Path
from statistics import fmean, harmonic_mean
from typing import Any

import numpy as np
import pandas as pd
import pytest

from asdlib.cli import main
from asdlib.data.tables import clip_rows, writing
from asdlib.evaluation.jackknife import official_ci95
from asdlib.evaluation.reported import load_reported, nothing_reported
from asdlib.evaluation.score_table import read_score_table
from asdlib.evaluation.tables import TableSettings, VariantScores, make_tables, write_table
from asdlib.scoring.score_files import write_decisions, write_scores
from asdlib.scoring.training_scores import TrainingScores, training_scores_path, write_refusal, write_training_scores
from asdlib.workflow.section import Section

SECTIONS = {"fan": ("00", "02", "04"), "valve": ("00",)}
ROWS = [("fan", "00"), ("fan", "02"), ("fan", "04"), ("fan", "all"), ("valve", "00"), ("all", "")]
CELLS = [(domain, label) for domain in ("source", "target") for label in ("normal", "anomaly")]
COUNTS = ("n_train", "n_test", "n_labelled", "n_normal")
DECISIONS = ("false_alarms", "recall", "precision", "f1", "promised")


def put(unlabelled: tuple[str, str] | None = None, domains: bool = True, seeds: tuple[int, ...] = (1,)) -> None:
    """Write the prepared clips of all sections, and their scores for each seed.

    A section has three training clips and, for each domain and label, test clips: five, and one more for each step of
    its number, so that no two sections of a machine count the same number of clips.
    """
    for machine, sections in SECTIONS.items():
        rows = []
        for section in sections:
            for kind, cells, count in (("train", CELLS[:1], 3), ("test", CELLS, 5 + int(section))):
                rows += [
                    {
                        "clip": (name := f"section_{section}_{domain}_{kind}_{label}_{number:04d}"),
                        "section": section, "domain": domain if domains else None, "split": kind, "kind": kind,
                        "label": None if (machine, section) == unlabelled and kind == "test" else label,
                        "attributes": {}, "samples": 1, "recorded_samples": 1, "frames": None,
                        "source_file": f"{machine}/{kind}/{name}.wav",
                    }
                    for domain, label in cells
                    for number in range(count)
                ]  # fmt: skip
        with writing(Path(f"results/audio/raw/toy/{machine}.parquet"), {}, audio=("int16", (1,))) as table:
            for kind in ("train", "test"):
                chosen = [row for row in rows if row["kind"] == kind]
                table.write(clip_rows(chosen), audio=np.zeros((len(chosen), 1), np.int16))
        for seed in seeds:
            for section in sections:
                names = [row["clip"] for row in rows if row["kind"] == "test" and row["section"] == section]
                put_scores(folder(seed), machine, section, names, seed)


def folder(seed: int) -> Path:
    return Path(f"results/baseline/mse/toy/{seed}")


def put_scores(where: Path, machine: str, section: str, names: list[str], seed: int) -> None:
    random = np.random.default_rng([seed, len(machine), int(section)])
    scores = [float(random.normal() + ("anomaly" in name)) for name in names]
    files = [f"{name}.wav" for name in names]
    write_scores(where, machine, section, zip(files, scores, strict=True))
    write_decisions(where, machine, section, zip(files, (score > 1 for score in scores), strict=True))
    write_training_scores(training_scores_path(where, machine, section), TrainingScores(1.0, 0.9, [], [], []))


def refuse(machine: str, section: str, seed: int = 1) -> None:
    write_scores(folder(seed), machine, section, [])
    write_decisions(folder(seed), machine, section, [])
    write_refusal(training_scores_path(folder(seed), machine, section), "too few clips: add some")


def made(*seeds: int, reported: pd.DataFrame | None = None, year: int | None = None) -> list[dict[str, Any]]:
    variants = [VariantScores("mse", seed, "r", {"toy": str(folder(seed))}) for seed in seeds]
    sections = [Section("toy", machine, section) for machine, own in SECTIONS.items() for section in own]
    settings = TableSettings("baseline", variants, sections, {"toy": year})
    scores, _, _ = make_tables(settings, nothing_reported() if reported is None else reported)
    return scores.to_dict("records")


def by_place(rows: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["machine"], row["section"]): row for row in rows}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


AREAS = {
    None: ("auc_source", "auc_target", "pauc"),
    2021: ("auc_source", "auc_target", "pauc_source", "pauc_target"),
    2020: ("auc", "pauc"),
}


@pytest.mark.parametrize("year", AREAS)
def test_a_machine_has_the_official_means_of_its_sections(year: int | None) -> None:
    put()
    rows = made(1, year=year)
    assert [(row["machine"], row["section"]) for row in rows] == ROWS
    fan, machine, overall = rows[:3], rows[3], rows[5]
    mean, score = (fmean, "amean") if year == 2020 else (harmonic_mean, "hmean")
    for name in {*AREAS[year], "auc", "pauc"}:
        assert machine[name] == pytest.approx(mean([row[name] for row in fan]), abs=2e-4)
    areas = [row[name] for row in fan for name in AREAS[year]]
    assert machine[score] == pytest.approx(mean(areas), abs=2e-4)
    assert machine["mean_of"] == " ".join(AREAS[year])
    sections = [*fan, rows[4]]
    everything = [row[name] for row in sections for name in AREAS[year]]
    assert overall[score] == pytest.approx(mean(everything), abs=2e-4), "each section counts the same"
    for one, own in ((machine, fan), (overall, sections)):
        assert [one[name] for name in COUNTS] == [sum(row[name] for row in own) for name in COUNTS]
        assert [one[name] for name in DECISIONS] == pytest.approx(
            [fmean(row[name] for row in own) for name in DECISIONS], abs=2e-4
        )
    assert [one["n_test"] for one in rows] == [20, 28, 36, 84, 20, 104]


@pytest.mark.parametrize(("count", "places"), [(1, ["00", ""]), (2, ["00", "02", "all", ""])])
def test_a_machine_has_a_row_of_its_own_from_two_sections_on(count: int, places: list, monkeypatch) -> None:
    monkeypatch.delitem(SECTIONS, "valve")
    monkeypatch.setitem(SECTIONS, "fan", SECTIONS["fan"][:count])
    put()
    *_, overall = rows = made(1)
    assert [row["section"] for row in rows] == places
    assert overall["hmean"] == rows[-2]["hmean"], "the only machine"


def test_its_interval_is_that_of_its_clips() -> None:
    put()
    rows = made(1)
    arrays = []
    for section in SECTIONS["fan"]:
        path = folder(1) / f"anomaly_score_fan_section_{section}_test.csv"
        table = pd.read_csv(path, header=None, names=["clip", "score"])
        labels = table["clip"].str.contains("anomaly").astype(int).to_numpy()
        domains = np.where(table["clip"].str.contains("source"), "source", "target")
        arrays.append((labels, domains, table["score"].to_numpy()))
    width = 100 * official_ci95(arrays)
    assert [rows[3]["hmean_low"], rows[3]["hmean_high"]] == pytest.approx(
        [rows[3]["hmean"] - width, rows[3]["hmean"] + width], abs=2e-4
    )


def test_a_refused_section_leaves_its_machine_without_figures_and_another_with_its_own() -> None:
    put()
    refuse("fan", "02")
    rows = by_place(made(1))
    for place in (("fan", "02"), ("fan", "all"), ("all", "")):
        assert np.isnan(rows[place]["hmean"])
    assert not any(np.isnan(rows[place]["hmean"]) for place in (("fan", "00"), ("fan", "04"), ("valve", "00")))
    notes = {place: row["note"] for place, row in rows.items() if row["note"]}
    refused = "not scored: too few clips: add some"
    assert notes == {("fan", "02"): refused, ("fan", "all"): "see fan 02", ("all", ""): "see fan 02"}
    assert (rows["fan", "all"]["n_train"], rows["fan", "all"]["n_test"]) == (9, 56)


def test_a_section_without_labels_leaves_its_machine_without_figures() -> None:
    put(unlabelled=("fan", "04"))
    rows = by_place(made(1))
    assert [np.isnan(rows[place]["hmean"]) for place in ROWS] == [False, False, True, True, False, True]
    machine = rows["fan", "all"]
    assert (machine["n_test"], machine["n_labelled"], machine["n_normal"]) == (84, 48, 24)
    assert machine["note"] == "see fan 04"
    assert np.isnan(machine["false_alarms"])


def test_with_several_seeds_it_has_a_mean_and_a_deviation() -> None:
    put(seeds=(1, 2, 3))
    rows = made(1, 2, 3)
    places = [(row["machine"], row["section"], row["seed"]) for row in rows]
    assert len(set(places)) == len(places) == 5 * len(ROWS)
    machine = [row for row in rows if (row["machine"], row["section"]) == ("fan", "all")]
    assert [row["seed"] for row in machine] == [1, 2, 3, "mean", "sd"]
    for name in ("auc_source", "pauc", "hmean", "recall"):
        values = [row[name] for row in machine[:3]]
        assert machine[3][name] == pytest.approx(np.mean(values), abs=2e-4)
        assert machine[4][name] == pytest.approx(np.std(values, ddof=1), abs=2e-4)
    refuse("fan", "00", seed=2)
    refused = [row for row in made(1, 2, 3) if (row["machine"], row["section"], row["seed"]) == ("fan", "all", "mean")]
    assert [(np.isnan(row["hmean"]), row["note"]) for row in refused] == [(True, "see fan 00")]


def test_reported_figures_of_a_machine_are_compared_with_all_of_it() -> None:
    """A report's table has machines and no sections: a single section would be compared with another thing."""
    put(seeds=(1, 2))
    header = "variant,dataset,machine,auc_source,auc_target,pauc,hmean,note\n"
    Path("toy.csv").write_text(header + "mse,toy,fan,50,40,60,,\nmse,toy,valve,80,70,60,,\n")
    rows = made(1, 2, reported=load_reported(Path("toy.csv")))
    shown = {
        (row["machine"], row["section"]): row["reported_auc_source"] for row in rows if row["seed"] in (1, 2, "mean")
    }
    assert [shown[place] for place in ROWS] == pytest.approx([np.nan] * 3 + [50.0, 80.0, 61.5385], nan_ok=True)


def test_false_alarms_of_a_machine_are_not_warned_of_twice(caplog: pytest.LogCaptureFixture) -> None:
    put()
    path = folder(1) / "decision_result_fan_section_02_test.csv"
    path.write_text(path.read_text().replace(",0", ",1"))
    with caplog.at_level("INFO"):
        rows = by_place(made(1))
    assert rows["fan", "all"]["false_alarms"] > 20, "also more than twice the promise"
    for record in caplog.records:
        assert record.getMessage().count("toy/fan ") <= 3
        assert "toy/fan all" not in record.getMessage()
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "toy/fan 02 100 % of 14" in warning


def test_the_table_is_read_and_printed_with_it(capsys: pytest.CaptureFixture) -> None:
    put()
    refuse("fan", "02")
    write_table(pd.DataFrame(made(1)), Path("scores.csv"))
    assert read_score_table(Path("scores.csv"))["section"].tolist() == [section for _, section in ROWS]
    assert main(["table", "scores.csv"]) == 0
    _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split()[3:5] for line in lines[:5]] == [list(place) for place in ROWS[:5]]
    assert [line for line in lines if "see fan" in line or "too few" in line] == [
        "baseline mse, toy/fan section 02: not scored: too few clips: add some"
    ]


def test_the_command_evaluate_prints_the_same_means(capsys: pytest.CaptureFixture) -> None:
    put()
    rows = by_place(made(1))
    call = ["evaluate", "--scores", str(folder(1)), "--clips", "results/audio/raw/toy"]
    assert main(call) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [tuple(line.split()[:2]) for line in lines[1:7]] == [*ROWS[:5], ("harmonic", "mean")]
    machine = rows["fan", "all"]
    shown = [f"{machine[name]:.2f}" for name in AREAS[None]]
    assert lines[4].split()[2:5] == shown
    assert main([*call, "--json"]) == 0
    means = json.loads(capsys.readouterr().out)["machines"]["fan"]
    assert 100 * means["source harmonic mean"]["AUC"] == pytest.approx(machine["auc_source"], abs=1e-3)


def test_2020_prints_arithmetic_means(capsys: pytest.CaptureFixture) -> None:
    put(domains=False)
    machine = by_place(made(1, year=2020))["fan", "all"]
    call = ["evaluate", "--scores", str(folder(1)), "--clips", "results/audio/raw/toy", "--year", "2020"]
    assert main(call) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[4].split() == ["fan", "all", f"{machine['auc']:.2f}", f"{machine['pauc']:.2f}"]
