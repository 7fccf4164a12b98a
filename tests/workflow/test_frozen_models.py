"""Models that are not trained: no job and no file of weights, no seed in the key, public weights as they are."""

import copy
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from helpers.condition_clips import BANDS, condition_clips
from helpers.toy_recordings import make_machine
from torch import nn

from asdlib.data.tables import ClipTable, writing
from asdlib.errors import AsdError
from asdlib.models import MODELS
from asdlib.planning.limits import Limits
from asdlib.planning.progress import progress
from asdlib.report.inputs import report_settings
from asdlib.steps.embed import embed
from asdlib.steps.submission import _parameters
from asdlib.training.frozen_model import FrozenModel
from asdlib.workflow import inputs, recipes, settings
from asdlib.workflow.ancestry import networks_for, public_for, sizes_for, trained_for
from asdlib.workflow.class_facts import is_trained
from asdlib.workflow.graph import Graph
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]
CONFIG = {
    **read_yaml(ROOT / "config" / "config.yaml"),
    **read_yaml(ROOT / "config" / "datasets.yaml"),
    "checkpoints": {
        "net": {"repository": "a/b", "revision": "c", "file": "net.pt", "sha256": "0" * 64, "licence": "MIT"}
    },
    "data": "toy",
}
PUBLIC = "resources/downloads/checkpoints/net/net.pt"
SYSTEM = {
    "title": "frozen",
    "frontends": {"rows": {"kind": "log_mel"}},
    "models": {"frozen_net": {"kind": "toy_frozen", "frontend": "rows", "checkpoint": "net", "width": 2}},
    "backends": {"near": {"kind": "nearest_neighbours", "representation": "embedding"}},
    "variants": {"one": {"branches": [{"model": "frozen_net", "backend": "near"}]}},
}


class ToyFrozen(nn.Module):
    """A linear map of the mean spectrum, whose public file has its matrix."""

    trained = False

    def __init__(self, width: int = 2):
        super().__init__()
        self.map = nn.Linear(BANDS, width, bias=False)

    def start_from_public(self, path: Path) -> None:
        self.map.load_state_dict({"weight": torch.load(path)})

    def embed(self, batch: Any) -> dict[str, torch.Tensor]:
        return {"embedding": self.map(batch.features.mean(1))}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a workflow with a system whose model is not trained."""
    monkeypatch.setattr(recipes.recipe_check, "check", lambda *_: None)  # the toy class is in no registry
    monkeypatch.setattr(recipes.class_facts, "is_trained", lambda kind: kind != "toy_frozen" and is_trained(kind))
    monkeypatch.setitem(MODELS, "toy_frozen", ToyFrozen)
    write(tmp_path, SYSTEM)
    make_machine(tmp_path / "toy" / "fan", train=2, test=1, seconds=0.1, sections=("00", "01"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(root: Path, system: dict[str, Any]) -> None:
    (root / "config" / "systems").mkdir(parents=True, exist_ok=True)
    (root / "config" / "systems" / "frozen.yaml").write_text(yaml.safe_dump(system))


def graph(root: Path, **changes: Any) -> Graph:
    return Graph({**copy.deepcopy(CONFIG), "systems": ["frozen"], **changes}, root)


def model_of(chosen: Graph, seed: int = 13711) -> Recipe:
    return chosen.recipes.resolve("models", "frozen_net", seed)


def test_a_frozen_model_has_no_seed_and_no_training(root: Path) -> None:
    chosen = graph(root, seeds=[1, 2])
    model = model_of(chosen, 1)
    assert not model.trained
    assert model.key == model_of(chosen, 2).key
    assert model.settings.keys().isdisjoint({"seed", "scope", "training", "views"})
    assert model.arguments == {"width": 2}


def test_embed_reads_the_public_file_and_no_job_copies_it(root: Path) -> None:
    chosen = graph(root)
    model, variant = model_of(chosen), chosen.variant("frozen", "one", "")
    where = chosen, model, "toy", "fan"
    assert inputs.embedded_with(*where) == [PUBLIC]
    assert inputs.all_weights(*where) == inputs.trainings(*where) == []
    assert inputs.section_models(*where) == {}
    assert settings.frozen(chosen, model) == {"settings": model.settings, "public": [PUBLIC], "pins": ["0" * 64]}
    assert list(trained_for(chosen, variant, "toy", "fan")) == []
    assert list(public_for(variant)) == networks_for(chosen, variant, "toy", "fan") == [PUBLIC]
    assert sizes_for(chosen, variant, "toy", "fan") == [f"results/embeddings/{model.key}/raw/toy/fan.parquet"]


def test_a_file_that_the_user_has_placed_is_used(root: Path) -> None:
    own = Path("resources/checkpoints/net/net.pt")
    own.parent.mkdir(parents=True)
    own.touch()
    chosen = graph(root)
    assert inputs.embedded_with(chosen, model_of(chosen), "toy", "fan") == [str(own)]


def test_a_training_of_it_is_refused(root: Path) -> None:
    chosen = graph(root)
    with pytest.raises(AsdError, match="frozen_net is not trained and has no such file: request its embeddings"):
        inputs.training_features(chosen, model_of(chosen).key, "toy", "fan")


def test_without_public_weights_it_is_from_scratch(root: Path) -> None:
    chosen = graph(root, override={"models": {"frozen_net": {"checkpoint": None}}})
    model = model_of(chosen)
    assert inputs.embedded_with(chosen, model, "toy", "fan") == []
    assert chosen.variant("frozen", "one", "").recipe.startswith(f"{model.key} (from scratch) > near-")
    assert "(from scratch)" not in graph(root).variant("frozen", "one", "").recipe


def test_a_model_cannot_start_from_it(root: Path) -> None:
    tuned = {"kind": "dense_autoencoder", "frontend": "rows", "init": "frozen_net", "training": {}}
    write(root, {**SYSTEM, "models": {**SYSTEM["models"], "tuned": tuned}})
    message = r"models\.tuned\.init: frozen_net is not trained: name its public weights as checkpoint instead"
    with pytest.raises(AsdError, match=message):
        graph(root).recipes.resolve("models", "tuned", 0)


def test_systems_and_report_list_no_training_of_it(root: Path) -> None:
    chosen = graph(root)
    (entry,) = progress(chosen)
    assert entry["trained"] == {"there": 0, "needed": 0}
    assert entry["public_weights"] == {"there": 0, "needed": 1}
    for name in ("datasets", "checkpoints"):  # which the report compares with those of the config
        shutil.copy(ROOT / "config" / f"{name}.yaml", root / "config")
    shown = report_settings(chosen)
    assert shown["systems"][0]["models"] == {}
    assert shown["recipes"]["checkpoints"] == {"net": ["frozen"]}


TRAINING = {
    "training": {"epochs": 1, "batch_size": 1, "learning_rate": 0.1},
    "scope": "all",
    "views": ["raw"],
    "corpus": ["scored"],
    "init": "dense_ae",
}


@pytest.mark.parametrize("key", TRAINING)
def test_what_belongs_to_a_training_is_refused(key: str) -> None:
    changes = {"models": {"clip_statistics": {key: TRAINING[key]}}}
    message = rf"models\.clip_statistics\.{key}: a model of kind feature_parts is not trained: remove it"
    with pytest.raises(AsdError, match=message):
        _ = recipes.Recipes(ROOT / "config" / "systems", changes).blocks


def test_a_model_without_a_training_is_refused_if_it_is_to_be_trained(tmp_path: Path) -> None:
    write(tmp_path, {**SYSTEM, "models": {"m": {"kind": "dense_autoencoder", "frontend": "rows"}}})
    with pytest.raises(AsdError, match=r"models\.m\.training: is missing: add it"):
        _ = recipes.Recipes(tmp_path / "config" / "systems").blocks


def test_clips_are_embedded_with_the_public_weights_and_their_number_is_noted(root: Path) -> None:
    clips = condition_clips({("fan", "1", "source"): 4})
    notes = {"dataset": "toy", "machine": "fan", "view_kind": "raw"}
    with writing(root / "fan.parquet", {}, notes, features=("float32", clips.features.shape[1:])) as table:
        table.write(clips.table, features=clips.features.numpy())
    weights, public, out = torch.arange(2.0 * BANDS).reshape(2, BANDS), root / "net.pt", root / "out.parquet"
    torch.save(weights, public)
    own = {**model_of(graph(root)).settings}
    embed(root / "fan.parquet", None, out, "cpu", 0, 1, frozen=FrozenModel(own, [public], []))
    _, found = ClipTable(out).load("embedding")
    np.testing.assert_allclose(found, (clips.features.mean(1) @ weights.T).numpy(), rtol=1e-5)
    assert _parameters(out) == 2 * BANDS
    with pytest.raises(AsdError, match=re.escape("but checkpoints.net.sha256 is 000")):
        embed(
            root / "fan.parquet", None, root / "no.parquet", "cpu", 0, 1, frozen=FrozenModel(own, [public], ["0" * 64])
        )
    assert not (root / "no.parquet").exists()


def test_random_weights_are_the_same_whatever_was_drawn_before(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    chosen = FrozenModel({**model_of(graph(root)).settings, "checkpoint": None}, [], [])
    first = chosen.build()
    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    assert torch.equal(first.map.weight, chosen.build().map.weight)
    assert torch.equal(state, torch.random.get_rng_state())
    assert "checkpoint: null: frozen_net has random weights instead of public ones" in caplog.text


def test_the_statistics_ask_for_no_gpu_and_other_models_do() -> None:
    shipped = read_yaml(ROOT / "config" / "checkpoints.yaml")
    chosen = Graph({**copy.deepcopy(CONFIG), **shipped, "data": "demo"}, ROOT)
    keys = {name: chosen.recipes.resolve("models", name, 13711).key for name in ("clip_statistics", "dense_ae")}
    assert [settings.gpus_to_embed(chosen, keys[name]) for name in ("clip_statistics", "dense_ae")] == [0, 1]
    job = {"model": keys["clip_statistics"], "view": "raw", "dataset": "demo", "machine": "fan"}
    assert Limits(chosen).minutes("embed", job, [], 60) == 60
