"""What the page shows of a variant that could not be fitted to the training clips of a section."""

import csv
from math import nan
from pathlib import Path

import pandas as pd
import pytest
from helpers.audio_tables import audio_table, noise_clips
from report.test_tables import row

from asdlib.errors import AsdError
from asdlib.evaluation.score_table import CLIP_COLUMNS
from asdlib.report import tables
from asdlib.report.selection import refusal, scored_clips, scored_somewhere
from asdlib.report.settings import ShownMachine, ShownSystem, ShownVariant
from asdlib.report.standings import standings, verdict
from asdlib.scoring.training_scores import TrainingScores, write_refusal, write_training_scores

WHY = "backend topic_mixture: 2 training clips are too few to leave one out: add some"
NOTE = f"not scored: {WHY}"
FAN = {"machine": "fan", "section": "00", "n_train": "2", "n_test": "3"}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ShownMachine:
    """Return the settings of a machine with two test clips, of whose variants a has scored it and b has refused it."""
    monkeypatch.chdir(tmp_path)
    audio_table(Path("fan.parquet"), {"test": noise_clips(2, 100, 1)})
    write_training_scores(Path("a.json"), TrainingScores(1.0, 0.9, ["t.wav"], ["source"], [0.5]))
    write_refusal(Path("b.json"), WHY)
    variants = [ShownVariant(name, f"{name}.json", {}) for name in "ab"]
    return ShownMachine("toy", "here", None, 1, "fan.parquet", variants, [], [], 1, 1, 1, "fan", ["00"])


def clip_table(*variants: str, clips: int = 2) -> Path:
    known = dict.fromkeys(CLIP_COLUMNS, "") | {"system": "toy", "dataset": "here", "machine": "fan", "section": "00"}
    known |= {"seed": "1", "anomaly_score": "0.5", "decision": "0"}
    rows = [{**known, "variant": name, "clip": f"section_00_source_test_normal_{number:04d}.wav"}
            for name in variants for number in range(clips)]  # fmt: skip
    with Path("clips.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, CLIP_COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return Path("clips.csv")


def test_a_refused_variant_needs_no_rows_of_clips(settings: ShownMachine) -> None:
    scored, refused = settings.variants
    assert (refusal(scored, "00"), refusal(refused, "00")) == (None, WHY)
    assert (scored_somewhere(scored, settings), scored_somewhere(refused, settings)) == (True, False)
    assert [one["variant"] for one in scored_clips(clip_table("a"), settings)] == ["a", "a"]


@pytest.mark.parametrize(("variants", "clips", "found"), [("b", 2, "0 rows"), ("a", 1, "0 rows"), ("aa", 2, "2 rows")])
def test_rows_that_a_variant_should_have_are_missed(settings, variants: str, clips: int, found: str) -> None:
    with pytest.raises(AsdError, match=rf"^clips.csv: has {found} of fan/section_00\S* for variant a: delete it and "):
        scored_clips(clip_table(*variants, clips=clips), settings)


def test_a_machine_that_all_variants_refuse_needs_no_table(settings: ShownMachine) -> None:
    write_refusal(Path("a.json"), WHY)
    assert scored_clips(Path("absent.csv"), settings) == []


def test_a_variant_that_refuses_one_of_two_sections_has_scored_somewhere(settings: ShownMachine) -> None:
    both = ShownVariant("c", "{section}.json", {})
    Path("b.json").rename("00.json")
    Path("a.json").rename("01.json")
    settings = ShownMachine(**{**vars(settings), "sections": ["00", "01"], "variants": [both]})
    assert scored_somewhere(both, settings)
    assert [refusal(both, section) for section in ("00", "01")] == [WHY, None]


@pytest.fixture
def rows() -> pd.DataFrame:
    """Return the rows of two variants, of which b has no figures of the fan, and therefore none of `all`."""
    ours = [row(**FAN, hmean=61.0), row(hmean=61.0)]
    theirs = [row(**FAN, note=NOTE), row(note="see fan 00", reported_hmean=55.0)]
    return pd.DataFrame([*ours, *({**one, "variant": "b"} for one in theirs)])


def test_its_row_has_dashes_and_says_why(rows: pd.DataFrame) -> None:
    _, _, refused, overall = tables.full(rows, "here")
    assert [figure["ours"] for figure in refused["figures"]] == ["–"] * 4
    assert refused["decisions"] == ["–"] * 5
    assert (refused["note"], overall["note"]) == (NOTE, "see fan 00")
    assert [line["cells"] for line in tables.by_machine(rows, "here")["lines"]] == [
        [{"text": "61.00", "colour": tables._against_chance(61.0)["colour"]}], [{"text": "–", "colour": None}],
    ]  # fmt: skip
    first, second = tables.overview(rows, "here")
    assert [line["figures"][0]["ours"] for line in (first, second)] == ["61.00", "–"]
    assert second["figures"][0]["difference"] == {"text": "–", "colour": None}, (
        "a reported figure alone is no difference"
    )


def test_its_row_is_no_gap_and_its_absence_is_one(rows: pd.DataFrame) -> None:
    system = ShownSystem("toy", "A toy", None, ["a", "b"], [], {}, [])
    tables.refuse_gaps(rows, system, {"here": ["fan"]}, [1])
    without = rows[(rows["variant"] == "a") | (rows["machine"] == "all")]
    with pytest.raises(AsdError, match=r"^results/toy/scores.csv: has no row of b/here/fan, seed 1: delete it and run"):
        tables.refuse_gaps(without, system, {"here": ["fan"]}, [1])


def test_it_is_left_out_of_the_comparison(rows: pd.DataFrame) -> None:
    found = standings(rows, "here")
    assert [one.variant for one in found] == ["a"]
    assert verdict(found, "official score") == "toy/a has an official score of 61.00."
    rows.loc[rows["variant"] == "a", "hmean"] = nan
    said = verdict(standings(rows, "here"), "official score")
    assert said == "There is no official score: labels are missing, or a machine has not been scored."
