"""Whole runs from recordings to tables, on the CPU, for all forms of datasets."""

import csv
import math
from pathlib import Path

import pytest
from helpers.checkout import TOY_CLIPS, Checkout, make_checkout
from helpers.in_process import run_system
from helpers.official import evaluate
from helpers.page_reader import PageReader
from helpers.toy_recordings import make_machine

pytestmark = pytest.mark.workflow

TABLES = "results/baseline/scores.csv"
FIGURES = ("auc_source", "auc_target", "pauc", "hmean")
COLUMNS = (
    "system,variant,dataset,machine,section,metric,auc_source,auc_target,pauc,hmean,auc,mean_of,auc_source_low,"
    "auc_source_high,auc_target_low,auc_target_high,pauc_low,pauc_high,hmean_low,hmean_high,auc_low,auc_high,"
    "false_alarms,recall,precision,f1,promised,reported_auc_source,reported_auc_target,reported_pauc,reported_hmean,"
    "n_train,n_test,n_labelled,n_normal,seed,recipe,note"
)
SHORT = """
threads: 1 # more than the cores that other tests leave free would wait for each other
prepare: {seconds: 1.0}
override: {models: {dense_ae: {hidden: 8, training: {epochs: 1, batch_size: 64}}}}
"""
# The demo at the size of a test: the settings of a declared dataset can be overridden like any other.
DEMO = """
data: demo
seeds: [1, 2]
datasets:
  demo:
    source: {train_source: 3, train_target: 2, test_per_cell: 1, supplements: 1, seconds: 1.0}
    machines: [fan]
"""
Rows = list[dict[str, str]]


def read(checkout: Checkout, path: str) -> Rows:
    with (checkout.folder / path).open(newline="") as handle:
        return list(csv.DictReader(handle))


def complete(row: dict[str, str]) -> bool:
    """Return whether all figures of a row are percentages."""
    values = [row[name] for name in FIGURES]
    assert all(values) or not any(values)
    return all(values) and all(0 <= float(value) <= 100 for value in values)


# --- the toy system of tests/end_to_end/conftest.py: one dataset, two machines, two variants -----------------------


def test_scores_have_a_row_for_every_machine_and_one_for_all(built: Checkout) -> None:
    assert built.read("results/toy/scores.csv").decode().splitlines()[0] == COLUMNS
    rows = read(built, "results/toy/scores.csv")
    assert [(row["variant"], row["machine"], row["section"]) for row in rows] == [
        ("joint", "fan", "00"), ("joint", "pump", "00"), ("joint", "all", ""),
        ("both", "fan", "00"), ("both", "pump", "00"), ("both", "all", ""),
    ]  # fmt: skip
    assert all(complete(row) for row in rows)
    assert [(row["n_train"], row["n_test"]) for row in rows[:3]] == [("7", "8"), ("7", "8"), ("14", "16")]
    assert {row["mean_of"] for row in rows} == {"auc_source auc_target pauc"}
    assert all(0 <= float(row[name]) <= 100 for row in rows for name in ("auc", "false_alarms", "recall"))
    assert [row["reported_auc_source"] for row in rows] == ["61.0", "", "61.0", "", "", ""]
    assert {row["seed"] for row in rows} == {"13711"}
    assert rows[3]["recipe"].count(" > ") == 2


def test_clips_have_one_row_for_every_scored_clip(built: Checkout) -> None:
    rows = read(built, "results/toy/clips.csv")
    recorded = {path.name for path in (built.folder / "recordings").glob("*/test/*.wav")}
    assert len(rows) == 2 * 2 * 8
    assert {row["clip"] for row in rows} == recorded
    for row in rows:
        assert row["label"] in row["clip"]
        assert row["domain"] in row["clip"]
        assert f"mic={row['domain']}" in row["attributes"]
        assert math.isfinite(float(row["anomaly_score"]))
        assert row["decision"] in "01"


def test_submission_files_are_what_the_evaluator_reads(built: Checkout, tmp_path: Path) -> None:
    """The evaluator's official score is that of the table."""
    for row in read(built, "results/toy/clips.csv"):
        name = f"ground_truth_{row['machine']}_section_{row['section']}_test.csv"
        truths = {"data": row["label"] == "anomaly", "domain": row["domain"] == "target"}
        for kind, value in truths.items():
            path = tmp_path / f"ground_truth_{kind}" / name
            path.parent.mkdir(exist_ok=True)
            if row["variant"] == "joint":
                path.open("a").write(f"{row['clip']},{int(value)}\n")
    found = evaluate(built.folder / "results" / "toy" / "joint" / "toy", tmp_path)
    overall = read(built, "results/toy/scores.csv")[2]
    assert 100 * found["official_score"] == pytest.approx(float(overall["hmean"]), abs=1e-4)


# --- several seeds; the demo dataset --------------------------------------------------------------------------------


def test_seeds_and_the_demo(tmp_path: Path) -> None:
    both = make_checkout(tmp_path / "both", SHORT + DEMO)
    run_system(both, "report")
    rows = read(both, TABLES)
    assert [row["seed"] for row in rows] == ["1"] * 4 + ["2"] * 4 + ["mean", "sd"] * 4
    assert len({row["recipe"] for row in rows if row["seed"] in "12"}) == 4  # two variants, two seeds
    for first, second, mean, sd in zip(rows[:4], rows[4:8], rows[8::2], rows[9::2], strict=True):
        assert first["variant"] == second["variant"] == mean["variant"] == sd["variant"]
        one, two = float(first["hmean"]), float(second["hmean"])
        assert float(mean["hmean"]) == pytest.approx((one + two) / 2, abs=1e-3)
        assert float(sd["hmean"]) == pytest.approx(abs(one - two) / math.sqrt(2), abs=1e-3)
    assert len(list((both.folder / "results" / "models").iterdir())) == 2
    page = PageReader(both.read("results/report.html").decode())
    shown = {row[1]: row[2] for row in page.table("All variants on demo, harmonic means; mean ± standard deviation")}
    joined = {row["variant"]: row for row in rows if row["machine"] == "all" and row["seed"] == "mean"}
    spread = {row["variant"]: row for row in rows if row["machine"] == "all" and row["seed"] == "sd"}
    for variant, row in joined.items():
        ours = f"{float(row['hmean']):.2f} ± {float(spread[variant]['hmean']):.2f}"
        ends = [row["hmean_low"], row["hmean_high"]]
        assert shown[variant] == ours + (" {:.0f}–{:.0f}".format(*map(float, ends)) if all(ends) else "")
    assert [row[3] for row in page.table("baseline on demo")] == [row["seed"] for row in rows]

    # One seed by itself gives the same bytes as together with others.
    alone = make_checkout(tmp_path / "alone", SHORT + DEMO.replace("[1, 2]", "[2]"))
    file = "anomaly_score_fan_section_00_test.csv"
    run_system(alone, f"results/baseline/mse/demo/{file}")
    assert alone.read(f"results/baseline/mse/demo/{file}") == both.read(f"results/baseline/mse/demo/seed_2/{file}")


# --- several datasets, older years, evaluation sets -----------------------------------------------------------------


def as_in_2021(machine: Path) -> None:
    """Move test clips into one folder per domain, and keep attributes only in the names of training clips."""
    for path in sorted((machine / "test").iterdir()):
        folder = machine / f"{path.name.split('_')[2]}_test"
        folder.mkdir(exist_ok=True)
        path.rename(folder / f"{path.name.partition('_spd')[0]}.wav")
    (machine / "test").rmdir()
    (machine / "attributes_00.csv").unlink()


def as_an_evaluation_set(machine: Path, truth: bool) -> None:
    """Rename test clips to anonymous names, optionally with their labels and domains in `ground_truth.csv`."""
    lines = ["file_name,label,domain,attributes"]
    for number, path in enumerate(sorted((machine / "test").iterdir())):
        _, _, domain, _, label, *_ = path.name.split("_")
        name = f"section_00_{number:04d}.wav"
        path.rename(path.with_name(name))
        lines.append(f"{name},{label},{domain},")
    attributes = (machine / "attributes_00.csv").read_text().splitlines()
    (machine / "attributes_00.csv").write_text("\n".join(line for line in attributes if "test/" not in line) + "\n")
    if truth:
        (machine / "ground_truth.csv").write_text("\n".join(lines) + "\n")


def test_datasets_of_other_forms(tmp_path: Path) -> None:
    """One run has a dataset in the form of 2021 and an evaluation set, half of it with ground truth."""
    checkout = make_checkout(tmp_path / "mixed", SHORT)
    recordings = checkout.folder / "recordings"
    as_in_2021(make_machine(recordings / "dev" / "pump", **TOY_CLIPS))
    as_an_evaluation_set(make_machine(recordings / "eval" / "slider", **TOY_CLIPS), truth=True)
    as_an_evaluation_set(make_machine(recordings / "eval" / "valve", **TOY_CLIPS), truth=False)
    run_system(checkout, "report", "--config", "data=[recordings/dev,recordings/eval]")

    rows = [row for row in read(checkout, TABLES) if row["variant"] == "mse"]
    found = {f"{row['dataset']}/{row['machine']}": complete(row) for row in rows}
    assert found == {
        "dev/pump": True,
        "dev/all": True,
        "eval/slider": True,
        "eval/valve": False,  # no labels: no figures
        "eval/all": False,  # the mean of the other machines would look like the set's
    }
    clips = read(checkout, "results/baseline/clips.csv")
    assert len(clips) == 2 * 3 * 8  # variants, machines, clips: all are scored, labelled or not
    assert {row["label"] for row in clips if row["machine"] == "valve"} == {""}
    assert {row["domain"] for row in clips if row["machine"] == "slider"} == {"source", "target"}

    page = PageReader(checkout.read("results/report.html").decode())
    assert page.table("All variants on eval")[0] == ["baseline", "mse", *["–"] * 4]  # nothing is reported for it
    assert page.text.count("No ROC curves of valve") == 1
    assert "No ROC curves of slider" not in page.text
    said = [image["alt"] for image in page.all("img")]
    assert sum("(test, label unknown)" in alt for alt in said) == 2  # histograms of both variants on valve
    assert any("8 test without label, domain unknown" in alt for alt in said)  # a map
