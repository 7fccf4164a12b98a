"""The page that `report` writes: missing files, hostile names and repeated clips."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers.page_reader import PageReader
from helpers.refusals import refused

from asdlib.errors import AsdError
from asdlib.evaluation.score_table import score_columns
from asdlib.report.illustrations import read_illustrations, write_illustrations
from asdlib.report.settings import ReportSettings
from asdlib.steps.report import report
from asdlib.workflow.typed_settings import typed

PICTURE = {"source": "data:image/webp;base64,", "alt": "A picture.", "width": 4, "height": 3}
HOSTILE = '<script>alert("1")</script>&amp;.wav'
SYSTEM = {
    "title": "A toy",
    "report": None,
    "variants": ["a"],
    "separators": ["gain-123456"],
    "models": {"centre-123456": []},
    "early_stop": ["gain-123456"],
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sound(view: str) -> dict:
    facts = {"view": view, "sound": f"data:audio/mpeg;base64,{len(view)}", "picture": PICTURE}
    return facts | {"gain": 1.0, "seconds": 1.0, "kilohertz": 8.0}


def shown(system: str, end: str = "most") -> dict:
    facts = {"system": system, "variant": "a", "end": end, "rank": 1, "of": 2}
    return facts | {"threshold": 0.5, "score": 1.0, "decision": 1}


def put_part(system: str, clip: str, *views: str, **section: object) -> Path:
    clips = [{"section": "00", "clip": clip, "label": "", "domain": "", "attributes": "<b>=1",
              "shown": [shown(system)], "sounds": [sound(view) for view in views]}]  # fmt: skip
    sections = [
        {
            "section": "00",
            "roc": None,
            "histograms": [],
            "maps": [],
            "explored": {"clips": []},
            "rankings": [],
            **section,
        }
    ]
    path = Path(f"results/{system}/report/here.zip")
    path.parent.mkdir(parents=True)
    write_illustrations(path, [("fan", {"sections": sections, "clips": clips})])
    return path


def put_scores(system: str, seeds: tuple[int, ...], metric: str) -> Path:
    columns = score_columns([metric])
    row = dict.fromkeys(columns, "") | {"system": system, "variant": "a", "dataset": "here", "metric": metric}
    path = Path(f"results/{system}/scores.csv")
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, columns)
        writer.writeheader()
        for seed in (*seeds, *(("mean", "sd") if len(seeds) > 1 else ())):
            own = {**row, "seed": seed, "recipe": f"centre-{seed}" if seed in seeds else ""}
            writer.writerows([{**own, "machine": "fan", "section": "00"}, {**own, "machine": "all"}])
    return path


def make(
    seeds: tuple[int, ...] = (1,), damage: Callable[[str], str] = str, metric: str = "2022", **parts: Path
) -> PageReader:
    """Write the page of some systems, without costs, and read it; `damage` changes the text of their tables."""
    settings = {
        "systems": [{**SYSTEM, "name": name} for name in parts],
        "datasets": {"here": ["fan"]},
        "recipes": {"models": {"centre-123456": list(parts)}},
        "recorded": ["here"],
        "config": {"seeds": list(seeds), "report": {"clips": 1, "points": 10}},
    }
    tables = [put_scores(name, seeds, metric) for name in parts]
    for path in tables:
        path.write_text(damage(path.read_text()))
    report(tables, list(parts.values()), Path("results/report.html"), typed(ReportSettings, settings))
    return PageReader(Path("results/report.html").read_text())


def test_names_of_files_are_text_and_nothing_else() -> None:
    page = make(toy=put_part("toy", HOSTILE, "raw"))
    assert HOSTILE in page.text
    assert len(page.all("script")) == 1
    assert "<b>=1" in page.text
    assert not page.all("b")
    assert page.all("audio")[0]["aria-label"] == f"fan, {HOSTILE}, raw"


def test_names_of_clips_stay_data_for_the_script() -> None:
    """A data block ends at the first `</script>`, wherever that is."""
    name = "</script><img src=x>'&.wav"
    explored = {"clips": [{"clip": name, "label": "", "domain": ""}], "variants": [], "maps": []}
    page = make(toy=put_part("toy", name, "raw", explored=explored))
    assert [script.get("type") for script in page.all("script")] == ["application/json", None]
    assert len(page.all("img")) == 1  # its spectrogram
    (block,) = re.findall(r'<script type="application/json">(.*?)</script>', Path("results/report.html").read_text())
    assert json.loads(block) == explored
    assert page.all("article")[0]["data-clip"] == name


def test_without_labels_the_clips_are_ranked() -> None:
    row = {"rank": 1, "clip": "a.wav", "score": 1.5, "above": True, "training": 97}
    ranking = {"variant": "a", "of": 2, "rows": [row, {**row, "rank": 2, "above": False, "training": None}]}
    page = make(toy=put_part("toy", "a.wav", "raw", rankings=[ranking]))
    assert page.table("Ranking of fan by variant a: the 2 most anomalous of 2 test clips") == [
        ["1", "a.wav", "1.5", "above", "97"], ["2", "a.wav", "1.5", "not above", "–"],
    ]  # fmt: skip
    assert "There is no official score" in page.text
    assert "ranked under Systems" in page.text


def test_a_row_without_figures_says_why_on_the_page() -> None:
    """A variant that could not be fitted to the training clips of a machine."""
    note = f"not scored: {HOSTILE}: too few"

    def refused(text: str) -> str:
        head, *rows = csv.reader(text.splitlines())
        told = [{**dict(zip(head, row, strict=True)), "note": note} for row in rows]
        out = io.StringIO()
        writer = csv.DictWriter(out, head)
        writer.writeheader()
        writer.writerows(told)
        return out.getvalue()

    page = make(toy=put_part("toy", "a.wav", "raw"), damage=refused)
    assert [row[-1] for row in page.table("Decisions of toy on here")] == [note, note]


def test_clips_that_are_only_heard_follow_the_others() -> None:
    part = put_part("toy", "a.wav", "raw")
    content = read_illustrations(part, "fan")
    content["clips"].insert(0, {**content["clips"][0], "clip": "b.wav", "shown": []})
    write_illustrations(part, [("fan", content)])
    page = make(toy=part)
    assert [card["data-clip"] for card in page.all("article")] == ["a.wav", "b.wav"]
    assert "1 other clip" in page.text


def test_without_labels_histories_and_records_the_page_says_so() -> None:
    page = make(toy=put_part("toy", "a.wav", "raw"))
    assert page.table("All variants")[0][:3] == ["toy", "a", "–"]
    assert "None" not in page.text  # instead of the title of a report
    assert "label unknown, domain unknown" in page.text
    assert "No ROC curves of fan" in page.text
    assert "nothing was learnt or the file is gone: gain-123456, centre-123456." in " ".join(page.text.split())
    assert {row[1] for row in page.table("Cost by stage")} == {"0"}  # jobs with a record


@pytest.mark.parametrize(
    ("metric", "score"), [("2022", "official score"), ("2021", "official score"), ("2020", "a-mean")]
)
def test_the_score_of_a_year_has_its_name(metric: str, score: str) -> None:
    text = "".join(make(toy=put_part("toy", "a.wav", "raw"), metric=metric).text.split())
    mean = "arithmetic" if metric == "2020" else "harmonic"
    assert f"Allvariantsonhere,{mean}meanssystemvariant{score.replace(' ', '')}AUC" in text


def test_a_clip_of_two_systems_is_on_the_page_once_with_all_its_views() -> None:
    page = make(
        one=put_part("one", "a.wav", "raw", "separated/gain-123456"), two=put_part("two", "a.wav", "raw", "separated/x")
    )
    heard = [player["aria-label"] for player in page.all("audio")]
    assert heard == [f"fan, a.wav, {view}" for view in ("raw", "separated/gain-123456", "separated/x")]
    assert "for one/a" in page.text
    assert "for two/a" in page.text


def test_a_picture_that_there_is_none_of_is_named_with_the_reason() -> None:
    drawn = {"latent of toy": {"picture": None, "flaw": "a value is not finite"}, "x": {"picture": PICTURE}}
    maps = [{"name": name, "variants": ["a"], **one} for name, one in drawn.items()]
    page = make(toy=put_part("toy", "a.wav", "raw", maps=maps))
    assert "No map of latent of toy: a value is not finite." in page.text
    assert [image["alt"] for image in page.all("img")] == ["A picture."] * 2  # the map, the spectrogram


def test_trainings_are_of_the_first_seed_at_the_epoch_that_was_kept_and_recipes_of_every_seed() -> None:
    history = Path("results/separators/gain-123456/here/fan/metrics.csv")
    history.parent.mkdir(parents=True)
    history.write_text("epoch,loss,validation_loss,si_sdr,si_sdr_improvement\n1,3,2,1.5,0.5\n2,2,3,1.25,0.25\n")
    page = make(seeds=(9, 10), toy=put_part("toy", "a.wav", "raw"))
    assert page.table("Separators") == [["gain-123456", "here/fan", "1 of 2", "1.50", "+0.50"]]
    assert "epoch 1 of 2: loss 3, validation loss 2, SI-SDR improvement 0.5" in page.all("img")[0]["alt"]
    assert page.table("The keys that made") == [["toy", "a", "9", "centre-9"], ["toy", "a", "10", "centre-10"]]
    said = " ".join(page.text.split())
    assert "its improvement by separation, seed 9" in said
    assert "validation is thin and dashed, seed 9" in said


def test_trainings_are_those_of_every_machine_or_of_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SYSTEM, "models", {"centre-123456": [], "joint-123456": ["here/all"]})
    for number, name in enumerate(("centre-123456/here/fan", "centre-123456/here/all", "joint-123456/here/all")):
        history = Path(f"results/models/{name}/training.csv")
        history.parent.mkdir(parents=True)
        history.write_text(f"epoch,loss,validation_loss\n1,{number},\n")
    page = make(toy=put_part("toy", "a.wav", "raw"))
    assert [image["alt"] for image in page.all("img") if image["alt"].startswith("Training of")] == [
        "Training of centre-123456. here/fan, epoch 1 of 1: loss 0.",
        "Training of joint-123456. here/all, epoch 1 of 1: loss 2.",
    ]


def first(count: int) -> Callable[[str], str]:
    """Return the damage that leaves so many lines of a text."""
    return lambda text: "".join(text.splitlines(keepends=True)[:count])


DAMAGED_TABLES = {
    "empty": (lambda text: "", r"is damaged \(it is empty\)"),
    "only its head": (first(1), r"is not a table of scores \(it has no rows\)"),
    "zeros": (lambda text: "\0" * len(text), r"is damaged \(it contains zero bytes\)"),
    "zeros at its end": (lambda text: text[:-9] + "\0" * 9, r"is damaged \(it contains zero bytes\)"),
    "cut off in a line": (lambda text: text[:-1], r"is damaged \(its last line is cut off\)"),
    "cut off after a line": (first(-1), r"has no row of a/here/all, seed sd"),
    "with a line twice": (
        lambda text: text + text.splitlines(keepends=True)[-1],
        r"has a row of a/here/all, seed sd, twice",
    ),
    "without its second half": (first(4), r"has no row of a/here/all, seed 2"),
}


@pytest.mark.parametrize(("damage", "complaint"), DAMAGED_TABLES.values(), ids=DAMAGED_TABLES)
def test_a_damaged_table_is_refused(damage: Callable[[str], str], complaint: str) -> None:
    with pytest.raises(AsdError, match=rf"^results/toy/scores\.csv: {complaint}: .*delete it and run again$"):
        make(seeds=(1, 2), damage=damage, toy=put_part("toy", "a.wav", "raw"))
    assert not Path("results/report.html").exists()


DAMAGED_PARTS = {
    "empty": lambda content: b"",
    "zeros": lambda content: b"\0" * len(content),
    "cut off": lambda content: content[:-1],
    "its first half": lambda content: content[: len(content) // 2],
    "another letter": lambda content: content.replace(b"a.wav", b"b.wav", 1),
    "another machine": lambda content: content.replace(b"fan.json", b"fun.json"),
    "packed in an unknown way": lambda content: content.replace(b"\x14\0\0\0\0\0", b"\x14\0\0\0c\0"),
}


@pytest.mark.parametrize("damage", DAMAGED_PARTS.values(), ids=DAMAGED_PARTS)
def test_damaged_illustrations_are_refused(damage: Callable[[bytes], bytes]) -> None:
    part = put_part("toy", "a.wav", "raw")
    before = part.read_bytes()
    part.write_bytes(damage(before))
    assert part.read_bytes() != before
    refused(lambda: make(toy=part), r"results/toy/report/here\.zip: cannot be read \(.*\): delete it and run again")


@pytest.mark.parametrize("content", [[], {}, {"sections": []}])
def test_illustrations_without_their_content_are_refused(content: object) -> None:
    part = put_part("toy", "a.wav", "raw")
    write_illustrations(part, [("fan", content)])
    refused(lambda: make(toy=part), r"results/toy/report/here\.zip: cannot be read \(.*\): delete it and run again")
