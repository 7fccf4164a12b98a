"""`asdlib export`: the file of a network of a run, and what is wrong said in one line."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers.toy_recordings import make_machine

from asdlib.cli import main
from asdlib.commands import scoring_target
from asdlib.commands.export import FACTS
from asdlib.scoring.fitted_variant import fit_variant
from asdlib.scoring.settings import ScoreSettings
from asdlib.steps.embed import embed
from asdlib.steps.extract_features import extract_features
from asdlib.steps.prepare import PrepareSettings, prepare
from asdlib.steps.train_model import train_model
from asdlib.training import build, onnx_file
from asdlib.weights import checkpoints
from asdlib.workflow import inputs, paths, settings
from asdlib.workflow.config import read_config
from asdlib.workflow.graph import Graph
from asdlib.workflow.typed_settings import typed
from asdlib.workflow.words import RAW

OVERRIDE = "override: {models: {dense_ae: {hidden: 8, latent: 4, training: {epochs: 1, batch_size: 16}}}}"
CALL = ["export", "--system", "baseline", "--variant", "mahalanobis", "--machine", "fan", "--out", "fan.onnx"]
CONFIG = ["--configfile", "settings.yaml"]


def run_baseline(graph: Graph) -> None:
    """Make the files of the baseline for the fan, as the rules do."""
    fan = "recordings", "fan"
    branch = graph.variant("baseline", "mahalanobis", "").branches[0]
    audio = Path(paths.audio(RAW, *fan))
    features = Path(inputs.embedded_features(graph, branch.model.key, RAW, *fan))
    (model,) = map(Path, inputs.all_weights(graph, branch.model, *fan))
    out = Path(paths.embeddings(branch.model.key, RAW, *fan))
    for path in (audio, features, model, out):
        path.parent.mkdir(parents=True, exist_ok=True)
    wanted = typed(PrepareSettings, settings.prepare(graph, *fan))
    prepare(graph.all_datasets["recordings"].recordings("fan"), *fan, audio, wanted)
    extract_features(audio, features, branch.model.frontend.settings)
    history = model.with_name("training.csv")
    train_model([features], [], [], [], model, history, branch.model.settings, "code", "cpu", 0, 1, None, "results")
    embed(features, model, out, "cpu", 0, 1)


def test_the_baseline_of_a_run_is_exported_with_its_score_and_threshold(here: Path, capsys) -> None:
    onnx = pytest.importorskip("onnx", reason="asdlib export is not tested: install the extra onnx")
    with Path("settings.yaml").open("a") as file:
        file.write(OVERRIDE)
    make_machine(here / "recordings" / "fan", train=3, target=1, test=1, seconds=0.5)
    graph = Graph(read_config([Path("settings.yaml")], []), Path())
    run_baseline(graph)
    assert main([*CALL, *CONFIG]) == 0
    assert capsys.readouterr().out.startswith("fan.onnx: mahalanobis, anomaly_score; at most ")
    facts = {one.key: one.value for one in onnx.load("fan.onnx").metadata_props}
    assert (facts["machine"], facts["section"], json.loads(facts["prepare"])["seconds"]) == ("fan", "00", 1.0)
    variant = graph.variant("baseline", "mahalanobis", "")
    stored = [Path(path) for path in inputs.embeddings_of(variant, "recordings", "fan")]
    wanted = typed(ScoreSettings, settings.score(graph, variant, "recordings", "00"))
    assert float(facts["threshold"]) == fit_variant(stored, wanted).threshold
    assert facts.keys() == FACTS | {"threshold"}
    assert main([*CALL, *CONFIG]) == 0  # an earlier export is replaced


@pytest.mark.parametrize("simple", [True, False])
def test_a_joint_network_is_told_the_machine(ran: Path, monkeypatch: pytest.MonkeyPatch, simple: bool) -> None:
    """What has no score of its own has no threshold."""
    told, written = [], []
    monkeypatch.setattr(checkpoints, "load", lambda path: path)
    monkeypatch.setattr(build, "restore_model", lambda _: SimpleNamespace(for_machine=told.append))
    monkeypatch.setattr(scoring_target, "fitted", lambda *_: SimpleNamespace(threshold=2.5))
    monkeypatch.setattr(onnx_file, "SIMPLE", onnx_file.SIMPLE if simple else ())
    monkeypatch.setattr(onnx_file, "export", lambda *given: written.append(given) or ("onnxruntime", 0.0))
    assert main([*CALL, *CONFIG]) == 0
    assert told == ["fan"]
    ((_, out, facts),) = written
    assert out == Path("fan.onnx")
    assert facts.get("threshold") == ("2.5" if simple else None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fan.onnx": "away/fan.onnx"}, "--out: away/fan.onnx: there is no folder away: create it"),
        ({"mahalanobis": "many"}, "--variant: many is not in the config: choose one of: mse, mahalanobis"),
        ({"fan.onnx": "fan.onnx --model big"}, "--model: big is not in the config: choose one of: dense_ae"),
        (
            {"baseline": "neighbours", "mahalanobis": "statistics"},
            "--model: clip_statistics is not trained: choose a variant with a trained model",
        ),
        (
            {"baseline": "encoders", "mahalanobis": "all"},
            "--model: is required: choose one of: clip_statistics, beats_frozen",
        ),
        ({}, "is damaged|is not a whole safetensors file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(ran: Path, capsys, change: dict[str, str], message: str) -> None:
    call = " ".join([*CALL, *CONFIG])
    for old, new in change.items():
        call = call.replace(old, new)
    assert main(call.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert any(one in line for one in message.split("|"))
    assert not list(ran.glob("**/*.onnx"))


@pytest.mark.parametrize("content", [b"", b"mine", "other"], ids=["empty", "another", "onnx"])
def test_a_file_that_is_no_earlier_export_is_kept(ran: Path, capsys, content: bytes | str) -> None:
    onnx = pytest.importorskip("onnx", reason="asdlib export is not tested: install the extra onnx")
    if content == "other":
        model = onnx.helper.make_model(onnx.helper.make_graph([], "mine", [], []))
        model.metadata_props.add(key="machine", value="fan")
        content = model.SerializeToString()
    (ran / "fan.onnx").write_bytes(content)
    assert main([*CALL, *CONFIG]) == 2
    said = "fan.onnx: was not written by asdlib export: name another file, or remove it"
    assert capsys.readouterr().err == f"asdlib: error: {said}\n"
    assert (ran / "fan.onnx").read_bytes() == content


def test_a_folder_in_place_of_the_file_is_said(ran: Path, capsys) -> None:
    pytest.importorskip("onnx", reason="asdlib export is not tested: install the extra onnx")
    (ran / "fan.onnx").mkdir()
    assert main([*CALL, *CONFIG]) == 2
    assert capsys.readouterr().err == "asdlib: error: fan.onnx: is a folder, not a file: replace or remove it\n"


def test_a_run_that_was_not_made_is_named_with_its_command(here: Path, capsys) -> None:
    assert main([*CALL, *CONFIG]) == 2
    assert "was not made with this config: run `snakemake" in capsys.readouterr().err
