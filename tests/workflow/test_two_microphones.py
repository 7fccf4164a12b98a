"""A separator without a training, which compares two microphones: no training job, no weights, no seed in its key."""

import shutil
from pathlib import Path

import pytest
import yaml
from helpers.checkout import ROOT
from helpers.toy_recordings import make_machine

from asdlib.data.clip import Clip
from asdlib.errors import AsdError
from asdlib.planning.clip_counts import ClipCounts
from asdlib.planning.costs import Costs
from asdlib.planning.dry_run import Job
from asdlib.planning.hours import Hours
from asdlib.planning.requirements import NOT_FAR, Present, verdicts
from asdlib.planning.sizes import Sizes
from asdlib.report import inputs as report_inputs
from asdlib.workflow import ancestry, inputs, paths
from asdlib.workflow.config import read_config
from asdlib.workflow.graph import Graph

FAN = {"dataset": "dcase2026_dev", "machine": "fan"}
VIEW = "separated/far_subtraction"
TRAINING = {"epochs": 1, "batch_size": 1, "learning_rate": 0.1}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Write a workflow whose only system is the baseline, and a variant of it that compares two microphones."""
    shutil.copytree(ROOT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("system*.yaml"))
    (tmp_path / "resources").mkdir()
    shutil.copy2(ROOT / paths.COSTS, tmp_path / paths.COSTS)
    path = tmp_path / "config" / "systems" / "baseline.yaml"
    content = yaml.safe_load(path.read_text())
    content["models"]["of_both"] = content["models"]["dense_ae"] | {"views": [VIEW]}
    branch = {"model": "of_both", "backend": "reconstruction_error", "views": [VIEW]}
    content["variants"]["both"] = {"branches": [branch]}
    path.write_text(yaml.safe_dump(content))
    return tmp_path


@pytest.fixture
def graph(root: Path, monkeypatch: pytest.MonkeyPatch) -> Graph:
    monkeypatch.chdir(ROOT)
    return Graph(read_config([], []) | {"data": "dcase2026_dev", "seeds": [1, 2]}, root)


def subtraction(graph: Graph) -> str:
    """Return the key of the separator that needs the far microphone; one for all seeds."""
    (key,) = (key for key in graph.keys("separators") if key.startswith("far_subtraction"))
    return key


def test_it_reads_the_tables_of_both_microphones_and_no_weights(graph: Graph) -> None:
    key = subtraction(graph)
    assert key not in graph.trained_keys("separators")
    assert inputs.separator_weights(graph, key, *FAN.values()) == []
    assert inputs.far_recordings(graph, key, *FAN.values()) == ["results/audio/far/dcase2026_dev/fan.parquet"]
    first, second = (graph.variants["baseline", "both", seed] for seed in (1, 2))
    assert first.views == second.views == [f"separated/{key}"]
    assert first.branches[0].model.key != second.branches[0].model.key
    for found in (ancestry.trained_for, ancestry.networks_for):
        weights = list(found(graph, first, *FAN.values()))
        assert {Path(path).parts[1] for path in weights} == {"models"}
    assert ancestry.variant_reads_far(graph, first, *FAN.values())
    assert not ancestry.variant_reads_far(graph, graph.variants["baseline", "mse", 1], *FAN.values())


def test_the_report_has_its_sounds_and_no_training_of_it(graph: Graph) -> None:
    key = subtraction(graph)
    settings = report_inputs.illustrate_settings(graph, "baseline", FAN["dataset"])
    drawn = {variant["variant"]: variant["separators"] for variant in settings["variants"]}
    assert drawn["both"] == {f"separated/{key}": f"results/audio/separated/{key}/dcase2026_dev/{{machine}}.parquet"}
    (system,) = report_inputs.report_settings(graph)["systems"]
    assert (system["separators"], len(system["models"])) == ([], 2)


def test_the_plan_knows_its_time_and_space(graph: Graph) -> None:
    counts, costs = ClipCounts(graph, ()), Costs(graph.root / paths.COSTS, {})
    separate = Job("separate", (), (), {"separator": subtraction(graph), **FAN}, 0)
    time = Hours(graph, counts, costs).of(separate)
    assert (time.cpu, time.gpu, time.unknown) == (pytest.approx(2.0 + 1200 * 0.02), 0.0, None)
    sizes = Sizes(graph, counts, costs)
    assert sizes.of(separate) == 1200 * 160_000 * 4
    assert sizes.of(Job("prepare_far", (), (), FAN, 0)) == sizes.of(Job("prepare", (), (), FAN, 0)) == 1200 * 160_000
    assert sizes.recordings(Job("download", (), (), FAN, 0)) == 1200 * 320_000 * 2


def test_recordings_of_one_microphone_are_refused_before_a_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_machine(root / "recs" / "fan", train=1, target=0, test=1, seconds=0.1)
    monkeypatch.chdir(ROOT)
    graph = Graph(read_config([], []) | {"data": str(root / "recs")}, root)
    one = ("recs", "fan")
    rows = [Clip(Path(f"{n}.wav"), f"{n}.wav", "00", kind, "source", None) for n, kind in enumerate(("train", "test"))]
    present = Present({one: rows}, {}, {one: 160_000}, frozenset([one]))
    refusals = {verdict.variant: verdict.refusals for verdict in verdicts(graph, present)}
    assert refusals["both"] == [f"fan: {NOT_FAR}"]
    assert refusals["mse"] == refusals["mahalanobis"] == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"variants": {}}, "has recipes alone: use the keys: separators, "),
        ([], "has recipes alone"),
        ({"separators": {"x": {}}}, "separators.x.kind: is missing"),
        ({"separators": {"x": {"kind": "far_subtraction", "hopp": 1}}}, "separators.x.hopp: unknown key: use one of: "),
        ({"separators": {"x": {"kind": "far_subtraction", "training": TRAINING}}},
         "separators.x.training: far_subtraction is not trained: remove it"),
        ({"separators": {"x": {"kind": "conv_tasnet"}}}, "separators.x.training: is missing: conv_tasnet is trained"),
        ({"models": {"dense_ae": {"kind": "dense_autoencoder"}}}, "baseline.yaml has a recipe of this name|is missing"),
    ],
)  # fmt: skip
def test_faults_of_the_shared_recipes_are_one_line(root: Path, monkeypatch, content, message: str) -> None:
    (root / "config" / "shared.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.chdir(ROOT)
    with pytest.raises(AsdError, match=rf"shared\.yaml: .*({message})"):
        _ = Graph(read_config([], []) | {"data": "dcase2026_dev"}, root).recipes_by_key


def test_a_workflow_without_shared_recipes_has_none(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "config" / "shared.yaml").unlink()
    monkeypatch.chdir(ROOT)
    with pytest.raises(AsdError, match=r"of_both\.views: no recipe separators\.far_subtraction: define it"):
        _ = Graph(read_config([], []) | {"data": "dcase2026_dev"}, root).recipes_by_key
