"""The benchmark of what the trainings learn: its settings, for every recipe that there is."""

from pathlib import Path

import pytest
import yaml
from helpers.model_toys import built, learnable_clips, toy_of, toy_recipes

from asdlib.examples.clips import Clips
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipes import merge

ROOT = Path(__file__).resolve().parents[2]


def test_every_training_can_be_kept_from_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import bench_learning

    files = [ROOT / "config" / f"{name}.yaml" for name in ("config", "datasets", "checkpoints", "demo")]
    config: dict = {}
    for file in files:
        config = merge(config, yaml.safe_load(file.read_text(encoding="utf-8")))
    systems = [path.stem for path in (ROOT / "config" / "systems").glob("*.yaml")]
    graph = Graph(bench_learning.without_learning(config | {"systems": systems}), ROOT)
    models = [graph.recipe("models", key) for key in graph.keys("models")]
    assert {recipe.training["learning_rate"] for recipe in models if recipe.trained} == {1e-12}
    assert any(not recipe.trained for recipe in models), "a model without a training gets none"


@pytest.mark.parametrize("kind", ["beats_classifier", "dense_autoencoder", "eat"])
def test_stored_features_are_computed_with_in_single_precision(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """They are stored in half precision, in which the networks of a CPU do not compute."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import bench_learning

    clips = learnable_clips(toy_of(kind)[1], 1.0)
    stored = Clips(clips.table, clips.features.half())
    network = built(kind, clips, next(made for name, made in toy_recipes().values() if name == kind))
    assert 0 < bench_learning.trivial_on(network, stored).loss < float("inf")
