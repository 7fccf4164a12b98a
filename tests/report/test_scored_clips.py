"""The rows of clips.csv that are drawn: one for every test clip and variant, or none at all."""

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers.audio_tables import audio_table

from asdlib.errors import AsdError
from asdlib.evaluation.score_table import CLIP_COLUMNS
from asdlib.report.selection import scored_clips
from asdlib.report.settings import ShownMachine
from asdlib.scoring.training_scores import TrainingScores, write_refusal, write_training_scores
from asdlib.workflow.typed_settings import typed


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ShownMachine:
    """Write clips.csv with six test clips, two variants and two seeds."""
    monkeypatch.chdir(tmp_path)
    table = audio_table(tmp_path / "fan.parquet", {"test": [np.ones(10, np.int16)] * 6})
    names = [row["source_file"].rpartition("/")[2] for row in table.clips("test").to_pylist()]
    row = {"system": "toy", "dataset": "here", "machine": "fan", "section": "00", "decision": 0}
    with Path("clips.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, CLIP_COLUMNS, lineterminator="\n")
        writer.writeheader()
        for variant, seed in (("a", 1), ("a", 2), ("b", 1), ("b", 2)):
            own = row | {"variant": variant, "seed": seed, "domain": "source", "label": "", "attributes": ""}
            writer.writerows({**own, "clip": name, "anomaly_score": 0.5 + n} for n, name in enumerate(names))
    write_training_scores(Path("scored.json"), TrainingScores(1.0, 0.9, ["t.wav"], ["source"], [0.5]))
    variants = [{"variant": name, "training_scores": "scored.json", "separators": {}} for name in "ab"]
    facts = {"system": "toy", "dataset": "here", "machine": "fan", "year": None, "seed": 1, "sections": ["00"]}
    return typed(
        ShownMachine,
        facts
        | {
            "audio": "fan.parquet",
            "variants": variants,
            "maps": [],
            "errors": [],
            "clips": 1,
            "players": 3,
            "points": 10,
        },
    )


def test_the_rows_of_the_first_seed_are_read(settings: ShownMachine) -> None:
    rows = scored_clips(Path("clips.csv"), settings)
    assert [(row["variant"], row["anomaly_score"]) for row in rows] == [(v, 0.5 + n) for v in "ab" for n in range(6)]
    assert {row["decision"] for row in rows} == {0}


def test_rows_of_other_machines_and_datasets_are_not(settings: ShownMachine) -> None:
    path = Path("clips.csv")
    alone, (_, *lines) = scored_clips(path, settings), path.read_text().splitlines(keepends=True)
    others = [line.replace(",here,", ",there,") for line in lines] + [line.replace(",fan,", ",pump,") for line in lines]
    with path.open("a") as handle:
        handle.writelines(others)
    assert scored_clips(path, settings) == alone


def test_a_variant_that_has_refused_the_section_has_no_rows(settings: ShownMachine) -> None:
    write_refusal(Path("b.json"), "too few clips: add some")
    write_training_scores(Path("a.json"), TrainingScores(1.0, 0.9, [], [], []))
    chosen = [replace(one, training_scores=f"{one.variant}.json") for one in settings.variants]
    path = Path("clips.csv")
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if ",b," not in line))
    assert {row["variant"] for row in scored_clips(path, replace(settings, variants=chosen))} == {"a"}
    with pytest.raises(AsdError, match=NO_ROW):
        scored_clips(path, settings)


def test_the_table_is_empty_if_all_have_refused(settings: ShownMachine) -> None:
    write_refusal(Path("refused.json"), "too few clips: add some")
    chosen = [replace(one, training_scores="refused.json") for one in settings.variants]
    path = Path("clips.csv")
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    assert scored_clips(path, replace(settings, variants=chosen)) == []


def test_clips_of_sections_that_are_not_shown_need_no_rows(settings: ShownMachine) -> None:
    path = Path("clips.csv")
    path.write_text("".join(line for line in path.read_text().splitlines(keepends=True) if ",1," not in line))
    assert scored_clips(path, replace(settings, sections=["01"])) == []
    with pytest.raises(AsdError, match="has 0 rows of fan"):
        scored_clips(path, settings)


def lines(first: int, last: int | None) -> Callable[[str], str]:
    """Return the damage that leaves the head and some of the lines."""
    return lambda text: "".join([*text.splitlines(keepends=True)[:1], *text.splitlines(keepends=True)[first:last]])


NO_ROW = r"has 0 rows of fan/section_00_\w+\.wav for variant b"
DAMAGE = {
    "empty": (lambda text: "", r"is damaged \(it is empty\)"),
    "only its head": (lines(1, 1), r"is not a table of clips \(it has no rows\)"),
    "zeros": (lambda text: "\0" * len(text), r"is damaged \(it contains zero bytes\)"),
    "its first half": (lines(1, 13), NO_ROW),
    "a line less": (lambda text: re.sub(r"toy,b.*,1,.*,5\.5,0\n", "", text), NO_ROW),
    "a line twice": (lambda text: text + text.splitlines()[1] + "\n", r"has 2 rows of fan/.* for variant a"),
    "cut off": (lambda text: text[:-3], r"is damaged \(its last line is cut off\)"),
    "no number": (lambda text: text.replace("5.5", "5..5"), r"is not a table of clips \(could not convert .*\)"),
}


@pytest.mark.parametrize(("damage", "complaint"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_table_is_refused(settings: ShownMachine, damage: Callable[[str], str], complaint: str) -> None:
    path = Path("clips.csv")
    before = path.read_text()
    path.write_text(damage(before))
    assert path.read_text() != before
    with pytest.raises(AsdError, match=rf"^clips\.csv: {complaint}: .*delete it and run again$"):
        scored_clips(path, settings)
