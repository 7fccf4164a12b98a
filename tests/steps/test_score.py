"""Scoring: fusion of branches and views, thresholds, separate sections, and no use of test clips' metadata."""

import json
from pathlib import Path

import numpy as np
import pytest

from asdlib.backends import BACKENDS
from asdlib.backends.embeddings import Embeddings, read_embeddings
from asdlib.backends.thresholds import gamma_quantile, left_out_quantile
from asdlib.data.tables import clip_rows, writing
from asdlib.errors import AsdError, TooFewClipsError
from asdlib.scoring.fusion import Fusion
from asdlib.scoring.score_files import read_decisions, read_scores
from asdlib.scoring.settings import BranchSettings, Decision, ScoreSettings
from asdlib.scoring.training_scores import read_refusal
from asdlib.steps.score import score

CALIBRATION = [1.0, 1.5, 2.0, 2.5, 3.0, 3.5]


class Plain:
    """A backend whose score is the embedding, and that defines no threshold."""

    def __init__(self, weight: float = 1.0):
        self.weight = weight

    def fit(self, train: Embeddings) -> "Plain":
        self.train_score_ = self.anomaly_score(train)
        return self

    def anomaly_score(self, test: Embeddings) -> np.ndarray:
        assert (test.domains is None) == (test.attributes is None)
        return self.weight * test["value"][:, 0]


def row(kind: str, number: int, section: str) -> dict:
    label = "anomaly" if kind == "test" and number % 2 else "normal"
    name = f"section_{section}_source_{kind}_{label}_{number:04d}"
    return {
        "clip": name, "section": section, "domain": "source", "split": kind, "label": label, "attributes": {"a": "1"},
        "kind": kind, "samples": 1, "recorded_samples": 1, "frames": 1, "source_file": f"fan/{kind}/{name}.wav",
    }  # fmt: skip


def embeddings(
    path: Path,
    offset: float | np.ndarray = 0.0,
    sections: tuple[str, ...] = ("00",),
    kinds: tuple[str, ...] = ("train", "test"),
) -> Path:
    """Write embeddings: training clips 1 … 6 and test clips 1 … 4, plus an offset for the given kinds."""
    with writing(path, {}, {"calibration": {"value": CALIBRATION}}, value=("float32", (1,))) as table:
        for kind, count in (("train", 6), ("test", 4)):
            rows = [row(kind, number, section) for section in sections for number in range(count)]
            values = np.tile(np.arange(1, count + 1, dtype=np.float32), len(sections))
            values += offset if kind in kinds else 0
            table.write(clip_rows(rows), value=values[:, None].astype(np.float32))
    return path


def settings(
    *branches: tuple[dict, int], section: str = "00", threshold: str = "fitted", fusion: str = "mean"
) -> ScoreSettings:
    decision = Decision(threshold, 0.8)
    return ScoreSettings([BranchSettings(*branch) for branch in branches], fusion, decision, section)


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BACKENDS, "plain", Plain)


PLAIN = {"kind": "plain", "name": "plain", "weight": 1.0}
OWN = {"kind": "smallest_distance", "name": "own", "representation": "value", "quantile": 0.9}
RADIUS = {"kind": "minimum_covering_volume", "name": "radius", "representation": "value"}  # promises no rate


def test_a_lone_backends_published_threshold_decides(tmp_path: Path) -> None:
    score([embeddings(tmp_path / "e.parquet")], "fan", tmp_path, settings((OWN, 1), threshold="published"))
    threshold = gamma_quantile(np.array(CALIBRATION), 0.9)
    scores = read_scores(tmp_path / "anomaly_score_fan_section_00_test.csv")
    decisions = read_decisions(tmp_path / "decision_result_fan_section_00_test.csv")
    assert list(scores.values()) == [1.0, 2.0, 3.0, 4.0]
    assert {name: int(value > threshold) for name, value in scores.items()} == decisions
    assert set(decisions.values()) == {0, 1}
    training = json.loads((tmp_path / "training_score_fan_section_00_train.json").read_text())
    assert training["threshold"] == threshold
    names = [f"section_00_source_train_normal_{number:04d}.wav" for number in range(6)]
    expected = [{"clip": name, "domain": "source", "score": number + 1.0} for number, name in enumerate(names)]
    assert training["clips"] == expected


@pytest.mark.parametrize(("backend", "threshold"), [(PLAIN, "fitted"), (PLAIN, "published"), (OWN, "fitted")])
def test_without_one_the_training_clips_own_scores_decide(tmp_path: Path, backend: dict, threshold: str) -> None:
    """Also instead of a published one, which batches of the training may have put anywhere."""
    path = embeddings(tmp_path / "e.parquet", offset=-2.0, kinds=("train",))
    score([path], "fan", tmp_path, settings((backend, 1), threshold=threshold))
    decisions = read_decisions(tmp_path / "decision_result_fan_section_00_test.csv")
    assert list(decisions.values()) == [0, 0, 0, 0]  # of 1 … 4, where the sixth of -1 … 4 is the threshold
    training = json.loads((tmp_path / "training_score_fan_section_00_train.json").read_text())
    assert training["threshold"] == left_out_quantile(np.arange(1, 7) - 2.0, ["source"] * 6, 0.8)[0] == 4.0


@pytest.mark.parametrize(
    ("backend", "threshold", "quantile"),
    [
        (OWN, "published", 0.9),
        (OWN, "fitted", 0.8),
        (PLAIN, "fitted", 0.8),
        (PLAIN, "published", 0.8),
        (RADIUS, "published", None),
        (RADIUS, "fitted", 0.8),
    ],
)
def test_the_quantile_is_that_of_the_threshold(
    tmp_path: Path, backend: dict, threshold: str, quantile: float | None
) -> None:
    """That of the method if the method's threshold is used, and otherwise that of the config."""
    score([embeddings(tmp_path / "e.parquet")], "fan", tmp_path, settings((backend, 1), threshold=threshold))
    training = json.loads((tmp_path / "training_score_fan_section_00_train.json").read_text())
    assert training["quantile"] == quantile


class Refuses(Plain):
    """A backend that needs more clips, or that has another complaint."""

    complaint: AsdError = TooFewClipsError("refuses: 6 training clips are too few: add some")

    def fit(self, train: Embeddings) -> "Refuses":
        raise self.complaint


def test_too_few_training_clips_leave_files_that_say_so(tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.setitem(BACKENDS, "plain", Refuses)
    score([embeddings(tmp_path / "e.parquet")], "fan", tmp_path, settings((PLAIN, 1)))
    told = "refuses: 6 training clips are too few: add some"
    assert read_refusal(tmp_path / "training_score_fan_section_00_train.json") == told
    for kind in ("anomaly_score", "decision_result"):
        assert not (tmp_path / f"{kind}_fan_section_00_test.csv").read_bytes()
    assert caplog.messages == [f"fan, section 00: not scored (column note of scores.csv): {told}"]


def test_other_complaints_are_errors(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(BACKENDS, "plain", Refuses)
    monkeypatch.setattr(Refuses, "complaint", AsdError("refuses: a setting is wrong: correct it"))
    path = embeddings(tmp_path / "e.parquet")
    with pytest.raises(AsdError, match="a setting is wrong"):
        score([path], "fan", tmp_path, settings((PLAIN, 1)))
    assert list(tmp_path.iterdir()) == [path]


class LeavesOut(Plain):
    """A backend whose scores of clips that it was fitted to are low."""

    def fit(self, train: Embeddings) -> "LeavesOut":
        self.left_out_score_ = 10 + self.anomaly_score(train)
        return super().fit(train)


def test_left_out_scores_are_those_of_the_threshold_and_the_table(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(BACKENDS, "plain", LeavesOut)
    score([embeddings(tmp_path / "e.parquet")], "fan", tmp_path, settings((PLAIN, 1)))
    training = json.loads((tmp_path / "training_score_fan_section_00_train.json").read_text())
    assert training["threshold"] == 16.0
    assert [clip["score"] for clip in training["clips"]] == [11.0, 12.0, 13.0, 14.0, 15.0, 16.0]


def test_views_are_averaged_first_and_branches_then(tmp_path: Path) -> None:
    paths = [embeddings(tmp_path / f"{i}.parquet", offset) for i, offset in enumerate((0.0, 2.0, 10.0))]
    double = {**PLAIN, "weight": 2.0}
    score(paths, "fan", tmp_path, settings((PLAIN, 2), (double, 1)))
    scores = read_scores(tmp_path / "anomaly_score_fan_section_00_test.csv")
    assert list(scores.values()) == [((v + v + 2) / 2 + 2 * (v + 10)) / 2 for v in (1, 2, 3, 4)]
    training = json.loads((tmp_path / "training_score_fan_section_00_train.json").read_text())
    assert [clip["score"] for clip in training["clips"]] == [((v + v + 2) / 2 + 2 * (v + 10)) / 2 for v in range(1, 7)]
    assert training["threshold"] == max(clip["score"] for clip in training["clips"])


@pytest.mark.parametrize("fusion", ["z_mean", "rank_mean"])
def test_branches_on_other_scales_count_the_same(tmp_path: Path, fusion: str) -> None:
    """And the threshold is on the scale of the fused scores, also where a lone method publishes one."""
    paths = [embeddings(tmp_path / f"{i}.parquet", offset) for i, offset in enumerate((0.0, 2.0, 10.0))]
    score(paths[:1], "fan", tmp_path, settings((OWN, 1), threshold="published", fusion=fusion))
    alone = list(read_scores(tmp_path / "anomaly_score_fan_section_00_test.csv").values())
    huge = {**PLAIN, "weight": 1000.0}
    score(paths, "fan", tmp_path, settings((PLAIN, 2), (huge, 1), threshold="published", fusion=fusion))
    np.testing.assert_allclose(list(read_scores(tmp_path / "anomaly_score_fan_section_00_test.csv").values()), alone)
    training = json.loads((tmp_path / "training_score_fan_section_00_train.json").read_text())
    assert training["threshold"] == max(clip["score"] for clip in training["clips"])
    assert training["quantile"] == 0.8


@pytest.mark.parametrize("fusion", ["z_mean", "rank_mean"])
def test_a_clip_s_fused_score_does_not_depend_on_other_test_clips(fusion: str) -> None:
    train, test = np.random.default_rng(0).gamma(2.0, 1.0, (2, 30)), np.random.default_rng(1).gamma(3.0, 1.0, (2, 8))
    fitted = Fusion(fusion).fit(train)
    alone = [float(fitted(test[:, [column]])[0]) for column in range(8)]
    np.testing.assert_allclose(alone, fitted(test), rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e-6])
@pytest.mark.parametrize("fusion", ["mean", "z_mean", "rank_mean"])
def test_a_training_clip_is_compared_with_the_others(fusion: str, scale: float) -> None:
    train = scale * np.random.default_rng(0).gamma(2.0, 1.0, (2, 12))
    fitted = Fusion(fusion).fit(train)
    for row in range(12):
        others = Fusion(fusion).fit(np.delete(train, row, 1))
        assert fitted.left_out_[row] == pytest.approx(float(others(train[:, [row]])[0]))


@pytest.mark.parametrize("scores", [[2.0], [2.0, 2.0, 2.0], [1.0, 2.0], [2.0, 2.0, 7.0]])
@pytest.mark.parametrize("fusion", ["z_mean", "rank_mean"])
def test_few_or_equal_scores_are_fused(fusion: str, scores: list) -> None:
    fitted = Fusion(fusion).fit([np.array(scores)])
    assert np.isfinite([*fitted.left_out_, *fitted([np.array([1.0, 2.0, 9.0])])]).all()


def test_ranks_of_clips_beyond_all_training_clips_are_not_tied() -> None:
    found = Fusion("rank_mean").fit([np.arange(10.0)])([np.array([9.0, 10.0, 50.0, 1e6])])
    assert (np.diff(found) > 0).all()


def test_each_section_is_scored_from_its_own_clips(tmp_path: Path) -> None:
    path = embeddings(tmp_path / "e.parquet", sections=("00", "01"))
    score([path], "fan", tmp_path, settings((PLAIN, 1), section="01"))
    names = read_scores(tmp_path / "anomaly_score_fan_section_01_test.csv")
    assert len(names) == 4
    assert all(name.startswith("section_01_") for name in names)


def test_a_section_without_clips_is_named(tmp_path: Path) -> None:
    with pytest.raises(AsdError, match=r"e\.parquet: section 07 has no test clips"):
        score([embeddings(tmp_path / "e.parquet")], "fan", tmp_path, settings((PLAIN, 1), section="07"))


@pytest.mark.parametrize(("kind", "count"), [("train", 6), ("test", 4)])
def test_a_score_that_is_not_finite_names_its_clip(tmp_path: Path, kind: str, count: int) -> None:
    path = embeddings(tmp_path / "e.parquet", np.where(np.arange(count) == 2, np.nan, 0.0), kinds=(kind,))
    complaint = rf"^fan/{kind}/section_00_source_{kind}_normal_0002\.wav: its score is not finite"
    with pytest.raises(AsdError, match=complaint):
        score([path], "fan", tmp_path, settings((PLAIN, 1)))
    assert list(tmp_path.iterdir()) == [path]


def test_a_backend_sees_no_label_domain_or_attribute_of_a_test_clip(tmp_path: Path) -> None:
    path = embeddings(tmp_path / "e.parquet")
    _, train = read_embeddings(path, "train", "00")
    _, test = read_embeddings(path, "test", "00")
    assert train.domains == ["source"] * 6
    assert train.attributes == [{"a": "1"}] * 6
    assert (test.domains, test.attributes, dict(test.calibration)) == (None, None, {})


def test_views_of_other_clips_are_refused(tmp_path: Path) -> None:
    paths = [embeddings(tmp_path / "a.parquet"), embeddings(tmp_path / "b.parquet", sections=("00", "00"))]
    with pytest.raises(AsdError, match=r"b\.parquet: holds other test clips than .*a\.parquet"):
        score(paths, "fan", tmp_path, settings((PLAIN, 2)))
