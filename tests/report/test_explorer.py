"""What the page's script gets: the scores and percentiles of every test clip."""

from types import SimpleNamespace

import numpy as np
import pytest

from asdlib.report.charts import Scores
from asdlib.report.explorer import RANKED, error_maps_of, explored, percentiles, rankings, ranks
from asdlib.report.selection import ends
from asdlib.report.settings import ErrorMaps


def rows(**scores: float) -> list[dict]:
    return [{"clip": name, "label": "normal" if name < "c" else "anomaly", "domain": "source",
             "anomaly_score": score, "decision": int(score > 2)} for name, score in scores.items()]  # fmt: skip


def drawn(variant: str, own: list[dict], train: list[float]) -> Scores:
    scores = np.array([row["anomaly_score"] for row in own])
    labels = [row["label"] or None for row in own]
    return Scores(variant, scores, labels, [None] * len(own), np.array(train), [None] * len(train), 2.0)


def test_every_clip_has_its_scores_decisions_and_percentiles() -> None:
    own = rows(b=1.23456789, a=0.5, c=3.0)
    found = explored({"x": own}, {"x": drawn("x", own, [0.0, 1.0, 2.0, 2.5])}, [])
    assert [clip["clip"] for clip in found["clips"]] == ["a", "b", "c"]
    (variant,) = found["variants"]
    assert variant == {
        "variant": "x", "threshold": 2.0, "scores": [0.5, 1.2346, 3.0], "ranks": [3, 2, 1], "decisions": [0, 0, 1],
        "training": [25, 50, 100], "trained": 4, "normal": [25, 75, 100], "normals": 2,
    }  # fmt: skip


def test_variants_have_the_clips_in_the_same_order() -> None:
    one, two = rows(a=1.0, b=2.0), rows(b=5.0, a=6.0)
    found = explored({"x": one, "y": two}, {"x": drawn("x", one, []), "y": drawn("y", two, [])}, [])
    assert [variant["scores"] for variant in found["variants"]] == [[1.0, 2.0], [6.0, 5.0]]


def test_without_labels_or_training_scores_there_are_no_percentiles() -> None:
    own = [row | {"label": ""} for row in rows(a=1.0)]
    (variant,) = explored({"x": own}, {"x": drawn("x", own, [])}, [])["variants"]
    assert (variant["normal"], variant["normals"], variant["training"], variant["trained"]) == ([], 0, [], 0)


def test_maps_place_the_clips_and_missing_pictures_have_none() -> None:
    own = rows(a=1.0, b=2.0)
    maps = [{"name": "latent", "variants": ["x"], "picture": {"places": {"b": [0, 1000]}}, "bands": {"a": [1.5]}},
            {"name": "mse", "variants": ["x"], "picture": None, "bands": None}]  # fmt: skip
    found = explored({"x": own}, {"x": drawn("x", own, [])}, maps)["maps"]
    assert found == [{"name": "latent", "variants": ["x"], "places": [None, [0, 1000]], "bands": [[1.5], None]}]


def test_errors_are_drawn_for_the_clips_that_can_be_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def error_maps(one: ErrorMaps, machine: str, section: str, clips: dict) -> dict:
        asked.append((one.name, machine, section, clips))
        return {name: f"map of {name}" for name in clips if name != "c"}  # as if its error were not finite

    monkeypatch.setattr("asdlib.report.error_maps.error_maps", error_maps)
    errors = [ErrorMaps("ae", "raw", "", "", ["x", "refused"]), ErrorMaps("other", "raw", "", "", ["refused"])]
    own = rows(a=1.0, b=2.0, c=3.0)
    found = explored({"x": own}, {"x": drawn("x", own, [])}, [])
    waves = {"c": {"raw": 3}, "b": {"raw": 2}, "of another section": {"raw": 1}}
    (one,) = error_maps_of(found, waves, "00", SimpleNamespace(errors=errors, machine="fan"))
    assert one["pictures"] == [None, "map of b", None]
    assert (one["name"], one["view"], one["variants"]) == ("ae", "raw", ["x"])
    assert asked == [("ae", "fan", "00", {"b": {"raw": 2}, "c": {"raw": 3}})]


@pytest.mark.parametrize(
    ("value", "among", "share"),
    [(0.0, [1, 2], 0), (3.0, [1, 2], 100), (1.0, [1, 2], 25), (2.0, [2, 2], 50), (1.5, [1, 2, 3], 33)],
)
def test_a_percentile_is_the_share_of_lower_scores(value: float, among: list[float], share: int) -> None:
    assert percentiles(np.array([value]), np.array(among, dtype=float)) == [share]


def test_ranks_are_those_of_the_players_even_if_scores_are_equal_or_look_so() -> None:
    scores = [0.1, 2.0, 0.1, 2.0000001, 0.05]
    own = [{"clip": f"{number}.wav", "anomaly_score": score} for number, score in enumerate(scores)]
    placed = {row["clip"]: row["rank"] for row in ends(own, len(own))}
    found = ranks(np.array(scores))
    assert found == [placed[row["clip"]] for row in own] == [3, 2, 4, 1, 5]
    assert str(found[0]) == "3", "as the table of a ranking shows it"


def test_a_ranking_starts_with_the_most_anomalous_clip_and_ends_somewhere() -> None:
    own = [row | {"label": ""} for row in rows(a=1.0, b=3.0, c=2.0)]
    (ranking,) = rankings(explored({"x": own}, {"x": drawn("x", own, [2.5])}, []))
    assert [(row["rank"], row["clip"], row["above"], row["training"]) for row in ranking["rows"]] == [
        (1, "b", True, 100), (2, "c", False, 0), (3, "a", False, 0),
    ]  # fmt: skip
    many = rows(**{f"a{number}": float(number) for number in range(RANKED + 5)})
    (ranking,) = rankings(explored({"x": many}, {"x": drawn("x", many, [])}, []))
    assert (len(ranking["rows"]), ranking["of"]) == (RANKED, RANKED + 5)
    assert ranking["rows"][0]["training"] is None
