"""The report of the toy system: one file with every figure of the tables, reproducible to the byte."""

import csv
import re
import zipfile

import pytest
from helpers.checkout import Checkout
from helpers.in_process import run_system
from helpers.page_reader import PageReader

pytestmark = pytest.mark.workflow

PAGE = "results/report.html"
NARROWED = ("--config", "systems=[toy]")
FIGURES = ("hmean", "auc_source", "auc_target", "pauc")


@pytest.fixture(scope="module")
def page(built: Checkout) -> PageReader:
    return PageReader(built.read(PAGE).decode())


@pytest.fixture(scope="module")
def rows(built: Checkout) -> list[dict[str, str]]:
    with (built.folder / "results/toy/scores.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def cells(row: dict[str, str]) -> list[str]:
    """Return our value, the reported one and the difference of all figures, as the page must show them."""
    found = []
    for name in FIGURES:
        ours, reported = row[name], row[f"reported_{name}"]
        difference = f"{float(ours) - float(reported):+.2f}".replace("-", "−") if ours and reported else "–"
        shown = [f"{float(figure):.2f}" if figure else "–" for figure in (ours, reported)]
        ends = [row[f"{name}_{end}"] for end in ("low", "high")]
        shown[0] += " {:.0f}–{:.0f}".format(*map(float, ends)) if all(ends) else ""
        found += [*shown, difference]
    return found


def test_every_row_of_the_table_is_on_the_page(page: PageReader, rows: list[dict[str, str]]) -> None:
    expected = [
        [row["variant"], row["machine"], row["section"], row["seed"], *cells(row), row["n_train"], row["n_test"]]
        for row in rows
    ]
    assert page.table("toy on toy") == expected
    assert any(re.match("[+−]", cell) for row in expected for cell in row)


def test_decisions_of_every_row_are_on_the_page(page: PageReader, rows: list[dict[str, str]]) -> None:
    expected = []
    for row in rows:
        cells = [f"{float(row[name]):.2f}" for name in ("auc", "false_alarms", "recall", "precision", "f1")]
        cells[1] += " !" if float(row["false_alarms"]) > 2 * float(row["promised"]) else ""
        expected.append([row["variant"], row["machine"], row["section"], row["seed"], *cells, row["note"]])
    assert page.table("Decisions of toy on toy") == expected


def test_the_overview_is_the_rows_of_all_machines(page: PageReader, rows: list[dict[str, str]]) -> None:
    overall = [row for row in rows if row["machine"] == "all"]
    assert page.table("All variants on toy") == [["toy", row["variant"], *cells(row)] for row in overall]
    machines = {(row["variant"], row["machine"]): f"{float(row['hmean']):.2f}" for row in rows}
    assert page.table("Harmonic means by machine") == [
        ["toy", variant, machines[variant, "fan"], machines[variant, "pump"]] for variant in ("joint", "both")
    ]


def test_pictures_say_the_figures_that_they_show(page: PageReader, rows: list[dict[str, str]]) -> None:
    said = " ".join(image["alt"] for image in page.all("img"))
    for row in rows:
        if row["machine"] != "all":
            assert f"{row['variant']}, source {float(row['auc_source']):.2f}" in said
            assert f"{row['variant']}, target {float(row['auc_target']):.2f}" in said
    for words in ("Histogram of variant both", "Map of latent", "Training of toy_tuned", "Spectrogram (raw)"):
        assert words in said


def test_the_page_is_one_file_for_everyone(page: PageReader) -> None:
    for _, attributes in page.tags:
        for name in ("src", "href", "poster", "srcset", "action"):
            assert attributes.get(name, "#").startswith(("data:", "#")), attributes[name][:100]
    assert page.tags[0][0] == "html"
    assert page.tags[0][1]["lang"] == "en"
    assert {"viewport"} <= {meta.get("name") for meta in page.all("meta")}
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert all(table.caption.strip() for table in page.tables)
    assert all(head.get("scope") for head in page.all("th"))
    assert all(image["alt"] for image in page.all("img"))
    assert all(player["aria-label"] for player in page.all("audio"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {link["href"][1:] for link in page.all("a")} <= set(ids)


def test_the_most_and_least_anomalous_clips_are_heard_raw_and_separated(built: Checkout, page: PageReader) -> None:
    with (built.folder / "results/toy/clips.csv").open(newline="") as handle:
        clips = list(csv.DictReader(handle))
    heard = [player["aria-label"] for player in page.all("audio")]
    assert len(heard) == len(set(heard))
    for variant in ("joint", "both"):
        for machine in ("fan", "pump"):
            own = [row for row in clips if (row["variant"], row["machine"]) == (variant, machine)]
            for clip in (max(own, key=score), min(own, key=score)):
                start = f"{machine}, {clip['clip']}, "
                views = [label.removeprefix(start) for label in heard if label.startswith(start)]
                assert [view.partition("-")[0] for view in views] == ["raw", "separated/toy_gain"]


def score(row: dict[str, str]) -> float:
    return float(row["anomaly_score"])


def test_costs_are_those_of_the_records(built: Checkout, page: PageReader) -> None:
    shown = {row[0]: int(row[1]) for row in page.table("Cost by stage")}
    records = built.folder / "results" / "benchmarks"
    wanted = {"prepare": "prepare/toy", "score": "score/toy", "train_model": "train_model", "embed": "embed"}
    for rule, folder in wanted.items():
        assert shown[rule] == len(list((records / folder).rglob("*.tsv"))) > 0


def test_the_same_run_gives_the_same_page(built: Checkout, copy: Checkout) -> None:
    (copy.folder / "results/toy/report/toy.zip").unlink()
    (copy.folder / PAGE).unlink()
    assert run_system(copy, "report", *NARROWED) == ["illustrate", "report"]
    assert copy.read(PAGE) == built.read(PAGE)


def test_what_makes_the_page_anew(copy: Checkout) -> None:
    def stale() -> list[str]:
        return sorted(re.findall(r"^(?:local)?rule (\w+):$", copy.run("report", *NARROWED, "--dry-run"), re.MULTILINE))

    for record in (copy.folder / "results" / "benchmarks" / "embed").rglob("*.tsv"):
        record.unlink()  # re-runs nothing, see the next list
    template = copy.folder / "src/asdlib/report/templates/page.html"
    template.write_text(template.read_text().replace("<main>", "<main >"))
    assert stale() == ["report"]
    copy.edit("config/config.yaml", "clips: 1 #", "clips: 2 #")
    assert stale() == ["illustrate", "report"]


def test_snakemake_s_own_report_takes_tables_trainings_and_the_page(copy: Checkout) -> None:
    said = copy.run("report", *NARROWED, "--report", "own.zip")
    for name in ("report.html", "scores.csv", "training.csv", "metrics.csv"):
        assert f"Adding {name}" in said
    with zipfile.ZipFile(copy.folder / "own.zip") as own:
        assert "official score" in own.read("own/report.html").decode()  # a caption
