"""The memory that jobs ask for."""

import json
import re
import tempfile
from pathlib import Path

import pytest

from asdlib.planning.memory import MARGIN, Memory
from asdlib.workflow.config import read_config
from asdlib.workflow.graph import Graph
from asdlib.workflow.paths import MEMORY
from asdlib.workflow.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]
TABLE = read_yaml(ROOT / MEMORY)


def asked(
    monkeypatch, name: str, *entries: str, rule: str = "train_model", machine: str = "fan", attempt: int = 1, **options
) -> int:
    """Return what a job with a network asks for, of which the rule itself would ask for 8000 MB."""
    monkeypatch.chdir(ROOT)
    graph = Graph(read_config([], list(entries)), ROOT)
    registry = "separators" if rule in ("train_separator", "separate") else "models"
    wildcards = {registry[:-1]: graph.recipes.resolve(registry, name, 13711).key, "machine": machine}
    memory = Memory(graph, **{"is_local": True, "limit": None, "gpus": 0, **options})
    with tempfile.NamedTemporaryFile() as features:
        features.truncate(500_000_000)
        return memory.mb(rule, wildcards, 8000, attempt, [features.name])


def changed(name: str, registry: str = "models", **block) -> str:
    return f"override={json.dumps({registry: {name: block}})}"


def test_a_local_job_asks_for_its_measured_peak_and_its_features(monkeypatch) -> None:
    train, embed = TABLE["models"]["dense_ae"]
    assert asked(monkeypatch, "dense_ae") == round(MARGIN * train) + 500
    assert asked(monkeypatch, "dense_ae", rule="embed") == round(MARGIN * embed) + 500
    assert asked(monkeypatch, "dense_ae", changed("dense_ae", training={"epochs": 3})) == round(MARGIN * train) + 500
    assert asked(monkeypatch, "dense_ae", "prepare={seconds: 20}") == round(2 * MARGIN * train) + 500
    assert asked(monkeypatch, "dense_ae", attempt=2) == 2 * round(MARGIN * train) + 500


@pytest.mark.parametrize(("is_local", "own"), [(True, round(MARGIN * TABLE["jobs"]["score"])), (False, 2000)])
def test_scoring_asks_for_many_times_its_embeddings(monkeypatch, tmp_path: Path, is_local: bool, own: int) -> None:
    monkeypatch.chdir(ROOT)
    memory = Memory(Graph(read_config([], []), ROOT), is_local, None, 0)
    for name in ("a", "b"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(5_000_000)
    files = [str(tmp_path / "a"), str(tmp_path / "b")]
    once = own + round(MARGIN * TABLE["copies"]["score"] * 10)
    assert [memory.mb("score", {"machine": "fan"}, 2000, attempt, files) for attempt in (1, 2)] == [once, 2 * once]
    with pytest.raises(FileNotFoundError):
        memory.mb("score", {"machine": "fan"}, 2000, 1, [*files, str(tmp_path / "missing")])


def test_a_joint_training_leaves_its_features_on_the_disk(monkeypatch) -> None:
    assert asked(monkeypatch, "dense_ae", machine="all") == round(MARGIN * TABLE["models"]["dense_ae"][0])


@pytest.mark.parametrize(
    ("name", "rule", "entry"),
    [
        ("dense_ae", "train_model", changed("dense_ae", hidden=8)),
        ("dense_ae", "train_model", changed("dense_ae", training={"batch_size": 4096})),
        ("conv_tasnet", "train_separator", changed("conv_tasnet", "separators", pairs={"segment": 20.0})),
        ("tfgridnet", "separate", "data=dcase2025_dev"),  # was never measured
    ],
)
def test_an_unmeasured_network_asks_for_the_configs_value_or_the_rules(monkeypatch, name, rule, entry) -> None:
    assert asked(monkeypatch, name, entry, rule=rule) == 8500
    assert asked(monkeypatch, name, entry, "memory=700", rule=rule) == 1200


@pytest.mark.parametrize(
    "options", [{"is_local": False}, {"is_local": False, "gpus": None, "limit": 100}, {"gpus": 2}, {"gpus": None}]
)
def test_on_a_cluster_and_on_gpus_a_job_asks_for_the_rules_value(monkeypatch, caplog, options) -> None:
    assert asked(monkeypatch, "eat_2025", "memory=700", **options) == 8500
    assert not caplog.messages


def test_without_gpus_in_the_config_the_measured_peak_counts(monkeypatch) -> None:
    assert asked(monkeypatch, "dense_ae", "device=cpu", gpus=None) < 8000


def test_processes_of_one_training_count_each(monkeypatch) -> None:
    one, two = (
        asked(monkeypatch, "dense_ae", changed("dense_ae", training={"devices": devices}), machine="all")
        for devices in (1, 2)
    )
    assert two == pytest.approx(2 * one, abs=1)


def test_a_job_that_needs_more_than_there_is_says_so_once(monkeypatch, caplog) -> None:
    monkeypatch.chdir(ROOT)
    graph = Graph(read_config([], []), ROOT)
    memory = Memory(graph, is_local=True, limit=20_000, gpus=0)
    key = graph.recipes.resolve("models", "eat_2025", 13711).key
    for machine in ("all", "all"):
        memory.mb("train_model", {"model": key, "machine": machine}, 8000, 1)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(
        f"train_model {key}: needs about 50,960 MB of memory, and the run has 20,000 MB"
    )


def test_every_recipe_and_every_other_rule_has_a_figure_and_its_source() -> None:
    systems = [read_yaml(path) for path in (ROOT / "config" / "systems").glob("*.yaml")]
    systems.append(read_yaml(ROOT / "config" / "shared.yaml"))
    for registry in ("separators", "models"):
        assert set(TABLE[registry]) == {name for system in systems for name in system.get(registry, {})}
    rules = re.findall(r"^rule (\w+):", "".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk")), re.M)
    networks = {"train_separator", "separate", "train_model", "embed"}
    assert set(TABLE["jobs"]) == set(rules) - networks - {"fetch_checkpoint"}  # which streams, and was not measured
    for line in (ROOT / MEMORY).read_text().splitlines():
        if re.match(r"  \w+: ", line):
            source = line.partition(" # ")[2]
            assert re.search(r"ours: |docs/\w+\.md", source), line
            for page, section in re.findall(r"(docs/\w+\.md), ([^:;()]+)", source):
                assert re.search(rf"^## {re.escape(section.strip())}", (ROOT / page).read_text(), re.M), line


def test_every_rule_asks_the_table() -> None:
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for rule, body in re.findall(r"^rule (\w+):\n((?:.*\n)+?)(?=^\S|\Z)", path.read_text(), re.M):
            assert re.search(rf'mem_mb=lambda w.*: memory\.mb\(\s*"{rule}", w', body), rule
