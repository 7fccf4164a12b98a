"""The illustrations of a machine: which scores, maps and sounds of which variants they have."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asdlib.data.tables import clip_rows, writing
from asdlib.evaluation.score_table import CLIP_COLUMNS
from asdlib.report import charts
from asdlib.report.illustrations import read_illustrations
from asdlib.report.settings import IllustrateSettings
from asdlib.scoring.training_scores import TrainingScores, write_refusal, write_training_scores
from asdlib.steps.illustrate import illustrate
from asdlib.workflow.typed_settings import typed

RATE = 16000
LABELS = {"00": ("normal", "anomaly", "normal", "anomaly", "normal"), "01": ("anomaly", "normal")}
# Of the test clips, in their order; variant b has refused section 01, and c both.
SCORED = {("a", "00"): (3.0, 5.0, 1.0, 4.0, 2.0), ("a", "01"): (7.0, 6.0), ("b", "00"): (0.4, 0.2, 0.3, 0.5, 0.1)}
THRESHOLDS = {("a", "00"): 3.5, ("a", "01"): 6.5, ("b", "00"): 0.25}


def name_of(section: str, number: int) -> str:
    return f"section_{section}_test_{number:04d}.wav"


@pytest.fixture(scope="module", params=[True, False], ids=["labels", "no_labels"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Return the illustrations of two sections, with the labels of the test clips or without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("illustrated"))
        patch.setattr(charts, "picture", lambda figure, alt: {"alt": alt})  # drawing takes most of the time
        yield {**illustrations(request.param), "labelled": request.param}


def illustrations(labelled: bool) -> dict[str, Any]:
    write_clip_table(labelled)
    rng = np.random.default_rng(0)
    audio = {kind: rng.normal(size=(count, RATE // 10)) * 3000 for kind, count in (("train", 4), ("test", 7))}
    write_table("fan.parquet", "audio", {kind: one.astype(np.int16) for kind, one in audio.items()})
    write_table("separated.parquet", "audio", {kind: (one / 2).astype(np.int16) for kind, one in audio.items()})
    write_table("latent.parquet", "latent", {kind: one[:, :3].astype(np.float32) for kind, one in audio.items()})
    for variant in "abc":
        for section in LABELS:
            path, threshold = Path(f"{variant}_{section}.json"), THRESHOLDS.get((variant, section))
            if threshold is None:
                write_refusal(path, "too few clips")
            else:
                write_training_scores(path, TrainingScores(threshold, 0.9, ["t.wav"] * 2, ["source", None], [0.0, 3.2]))
    separated = {"separated/x": "separated.parquet"}
    maps = (("of both", ["a", "b"], "latent"), ("of b", ["b"], "latent"), ("of c", ["c"], "gone"))
    settings = {
        "system": "toy", "dataset": "here", "year": 2025, "seed": 1, "machines": {"fan": list(LABELS)},
        "audio": "{machine}.parquet", "clips": 1, "players": 3, "points": 10, "errors": [],
        "variants": [
            {"variant": "a", "training_scores": "a_{section}.json", "separators": separated},
            {"variant": "b", "training_scores": "b_{section}.json", "separators": {}},
            {"variant": "c", "training_scores": "c_{section}.json", "separators": {"separated/c": "gone.parquet"}},
        ],
        "maps": [
            {"path": f"{path}.parquet", "representation": "latent", "name": name, "view": "raw", "variants": variants}
            for name, variants, path in maps
        ],
    }  # fmt: skip
    illustrate(Path("clips.csv"), Path("out.zip"), typed(IllustrateSettings, settings))
    return read_illustrations(Path("out.zip"), "fan")


def write_clip_table(labelled: bool) -> None:
    known = dict.fromkeys(CLIP_COLUMNS, "") | {"system": "toy", "dataset": "here", "machine": "fan", "seed": 1}
    with Path("clips.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, CLIP_COLUMNS)
        writer.writeheader()
        for (variant, section), scores in SCORED.items():
            for number, score in enumerate(scores):
                facts = {"variant": variant, "section": section, "clip": name_of(section, number), "attributes": "v=3"}
                facts |= {"label": LABELS[section][number] if labelled else "", "domain": "source"}
                decision = int(score > THRESHOLDS[variant, section])
                writer.writerow({**known, **facts, "anomaly_score": score, "decision": decision})


def write_table(path: str, name: str, values: dict[str, np.ndarray]) -> None:
    """Write two training clips of each section, and its test clips."""
    sections = {"train": ["00", "00", "01", "01"], "test": ["00"] * 5 + ["01"] * 2}
    first = values["train"]
    with writing(
        Path(path), {"machine": "fan", "sample_rate": RATE}, **{name: (str(first.dtype), first.shape[1:])}
    ) as out:
        for kind, own in sections.items():
            rows = [row(kind, section, number - own.index(section)) for number, section in enumerate(own)]
            out.write(clip_rows(rows), **{name: values[kind]})


def row(kind: str, section: str, number: int) -> dict[str, Any]:
    file = name_of(section, number).replace("test", kind)
    facts = {"clip": file.removesuffix(".wav"), "section": section, "domain": "source", "split": kind, "label": None}
    facts |= {"attributes": {}, "kind": kind, "samples": RATE // 10, "recorded_samples": RATE // 10, "frames": None}
    return facts | {"source_file": f"fan/{kind}/{file}"}


def test_every_section_has_the_scores_and_maps_of_the_variants_that_scored_it(made: dict[str, Any]) -> None:
    first, second = made["sections"]
    for one, variants, maps in ((first, ["a", "b"], ["of both", "of b"]), (second, ["a"], ["of both"])):
        section = one["section"]
        assert [drawn["variant"] for drawn in one["histograms"]] == variants
        assert [drawn["name"] for drawn in one["maps"]] == maps
        for variant, found in zip(variants, one["explored"]["variants"], strict=True):
            assert found["variant"] == variant
            assert found["scores"] == list(SCORED[variant, section])
            assert found["threshold"] == THRESHOLDS[variant, section]
            assert found["trained"] == 2
        assert bool(one["roc"]) == made["labelled"]
        assert [clip["label"] for clip in one["explored"]["clips"]] == (
            list(LABELS[section]) if made["labelled"] else [""] * len(LABELS[section])
        )


def test_the_clips_of_both_ends_say_why_they_are_shown(made: dict[str, Any]) -> None:
    found = {clip["clip"]: clip["shown"] for clip in made["clips"] if clip["shown"]}
    expected = {}
    for (variant, section), scores in SCORED.items():
        for end, number in (("most", int(np.argmax(scores))), ("least", int(np.argmin(scores)))):
            facts = {"system": "toy", "variant": variant, "end": end, "rank": 1 if end == "most" else len(scores)}
            facts |= {"of": len(scores), "threshold": THRESHOLDS[variant, section], "score": scores[number]}
            facts |= {"decision": int(scores[number] > THRESHOLDS[variant, section])}
            expected.setdefault(name_of(section, number), []).append(facts)
    assert found == expected


def test_a_clip_is_heard_as_separated_for_the_variants_for_which_it_is_shown(made: dict[str, Any]) -> None:
    """The further clips are evenly spaced, or, without labels, those that are ranked highest."""
    views = {clip["clip"]: {sound["view"] for sound in clip["sounds"]} for clip in made["clips"]}
    both, raw = {"raw", "separated/x"}, {"raw"}
    ends_of_a = {name_of("00", 1), name_of("00", 2), name_of("01", 0), name_of("01", 1)}
    ends_of_b = {name_of("00", 3), name_of("00", 4)}
    others = {name_of("00", 0), name_of("00", 3), name_of("01", 1)} if made["labelled"] else {name_of("00", 3)}
    assert {name for name, own in views.items() if own == both} == ends_of_a
    assert {name for name, own in views.items() if own == raw} == (ends_of_b | others) - ends_of_a
    assert all(clip["attributes"] == "v=3" for clip in made["clips"])
    assert [bool(one["rankings"]) for one in made["sections"]] == [not made["labelled"]] * 2
