"""Pseudo-labels in the graph: what makes them, what reads them, and which recipes may name a labeller."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.checkout import ROOT
from helpers.toy_recordings import make_machine

from asdlib.errors import AsdError
from asdlib.planning.progress import progress
from asdlib.report.inputs import report_settings
from asdlib.workflow import inputs, label_inputs, paths
from asdlib.workflow.ancestry import models_of, networks_for, public_for, recipes_of, trained_for
from asdlib.workflow.graph import Graph
from asdlib.workflow.unknown_targets import explain
from asdlib.workflow.yaml_files import read_yaml

CONFIG = {
    key: value
    for name in ("config", "datasets", "checkpoints")
    for key, value in yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text()).items()
}
SYSTEM = read_yaml(ROOT / "config" / "systems" / "encoders.yaml")
SYSTEM["variants"] = {"one": SYSTEM["variants"]["beats_adapted"]}
SEEDS = [1, 2]
Make = Callable[..., Graph]


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return a function: the graph of the system of encoders for two machines, with changes of its recipes."""
    monkeypatch.chdir(tmp_path)
    for machine in ("fan", "pump"):
        make_machine(tmp_path / "toy" / machine, train=2, test=1, seconds=0.1)
    (tmp_path / "config" / "systems").mkdir(parents=True)
    for name in ("datasets", "checkpoints"):
        (tmp_path / "config" / f"{name}.yaml").write_text((ROOT / "config" / f"{name}.yaml").read_text())

    def make(**changes: Any) -> Graph:
        (tmp_path / "config" / "systems" / "own.yaml").write_text(yaml.safe_dump(SYSTEM, sort_keys=False))
        return Graph({**copy.deepcopy(CONFIG), "data": "toy", "systems": ["own"], "seeds": SEEDS, **changes}, tmp_path)

    return make


def changed(registry: str, name: str, **values: Any) -> dict[str, Any]:
    return {"override": {registry: {name: values}}}


def test_labels_are_made_once_for_all_seeds(graph: Make) -> None:
    chosen = graph()
    (labeller,) = chosen.keys("labellers")
    frozen = chosen.recipe("labellers", labeller).model
    models = [chosen.recipes.resolve("models", "beats_adapted", seed) for seed in SEEDS]
    assert len({model.key for model in models}) == 2
    expected = [f"results/labels/{labeller}/toy/{machine}.parquet" for machine in ("fan", "pump")]
    for model in models:
        assert label_inputs.training_labels(chosen, model.key, "corpus", "all") == expected
        assert model.labeller.key == labeller
    found = label_inputs.labelled_embeddings(chosen, labeller, "toy", "fan")
    assert found == f"results/embeddings/{frozen.key}/raw/toy/fan.parquet"
    assert frozen.settings.keys().isdisjoint({"seed", "training"})


def test_labels_do_not_depend_on_the_training(graph: Make) -> None:
    tuned = graph(**changed("models", "beats_adapted", training={"epochs": 3}, lora_rank=2))
    assert tuned.keys("labellers") == graph().keys("labellers")


@pytest.mark.parametrize(
    "change", [changed("labellers", "beats_clusters", share=0.1), changed("models", "beats_mean", pooling="gem")]
)
def test_what_decides_labels_is_in_the_keys_of_labels_and_models(graph: Make, change: dict) -> None:
    before, after = graph(), graph(**change)
    assert not set(before.keys("labellers")) & set(after.keys("labellers"))
    names = [{key for key in one.keys("models") if key.startswith("beats_adapted")} for one in (before, after)]
    assert not names[0] & names[1]


def test_without_a_labeller_attributes_alone_are_learned(graph: Make) -> None:
    chosen = graph(**changed("models", "beats_adapted", labeller=None))
    key = chosen.recipes.resolve("models", "beats_adapted", 1).key
    assert label_inputs.training_labels(chosen, key, "corpus", "all") == []


def test_everything_that_follows_recipes_knows_the_labeller(graph: Make) -> None:
    chosen = graph()
    variant = chosen.variant("own", "one", "/seed_1")
    (labeller,) = chosen.keys("labellers")
    names = ["beats_adapted", "beats_mean"]
    assert [model.name for model in models_of(variant)] == names
    used = recipes_of(chosen, variant)
    assert ("labellers", labeller) in used
    assert {key.rpartition("-")[0] for _, key in used} == {*names, "beats_clusters", "waveform", "fbank_beats_whole"}
    assert set(public_for(variant)) == {"resources/downloads/checkpoints/beats_iter3/BEATs_iter3.pt"}
    weights = inputs.all_weights(chosen, variant.branches[0].model, "toy", "fan")
    assert list(trained_for(chosen, variant, "toy", "fan")) == weights
    assert networks_for(chosen, variant, "toy", "fan") == weights  # a new clip needs no labels
    assert report_settings(chosen)["recipes"]["labellers"] == {labeller: ["own"]}
    (entry,) = progress(chosen)
    assert (entry["trained"]["needed"], entry["public_weights"]["needed"]) == (2, 1)
    target = paths.labels("beats_clusters-000000", "toy", "fan")
    assert paths.labels(labeller, "toy", "fan") in explain(target, ["own"], chosen.keys)


@pytest.mark.parametrize("scratch", ["beats_mean", "beats_adapted"])
def test_labels_by_random_weights_make_a_result_from_scratch(graph: Make, scratch: str) -> None:
    assert "(from scratch)" not in graph().variant("own", "one", "/seed_1").recipe
    chosen = graph(**changed("models", scratch, checkpoint=None))
    assert "(from scratch)" in chosen.variant("own", "one", "/seed_1").recipe


REFUSED = {
    "a model that learns its labels": (
        changed("labellers", "beats_clusters", model="beats_adapted"),
        r"beats_clusters builds on itself \(beats_clusters > beats_adapted > beats_clusters\): remove the cycle",
    ),
    "an unknown labeller": (changed("models", "beats_adapted", labeller="x"), r"no recipe labellers\.x: define it"),
    "a model that does not learn labels": (
        changed("models", "beats_frozen", labeller="beats_clusters"),
        r"models\.beats_frozen\.labeller: a model of kind frozen_encoder is not trained: remove it",
    ),
    "an unknown key": (changed("labellers", "beats_clusters", clusters=3), r"beats_clusters\.clusters: unknown key"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_labeller_cannot_be(graph: Make, case: str) -> None:
    change, message = REFUSED[case]
    with pytest.raises(AsdError, match=message):
        _ = graph(**change).recipes_by_key


def test_a_model_that_ignores_labels_may_not_name_a_labeller() -> None:
    from asdlib.workflow import recipe_check
    from asdlib.workflow.arguments import RESERVED

    block = {"kind": "dense_autoencoder", "frontend": "f", "labeller": "l", "training": {"epochs": 1, "batch_size": 1}}
    block["training"]["learning_rate"] = 0.1
    with pytest.raises(AsdError, match=r"m\.labeller: a model of kind dense_autoencoder does not learn pseudo-labels"):
        recipe_check.check("models", block, RESERVED["models"], "m")
    recipe_check.check("models", block | {"labeller": None}, RESERVED["models"], "m")


def test_labels_by_a_trained_model_are_refused(graph: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = {"kind": "dense_autoencoder", "frontend": "waveform",
               "training": {"epochs": 1, "batch_size": 1, "learning_rate": 0.1}}  # fmt: skip
    monkeypatch.setitem(SYSTEM, "models", {**SYSTEM["models"], "mine": trained})
    message = r"labellers\.beats_clusters\.model: mine is trained: name a model that is not"
    with pytest.raises(AsdError, match=message):
        _ = graph(**changed("labellers", "beats_clusters", model="mine")).recipes_by_key
