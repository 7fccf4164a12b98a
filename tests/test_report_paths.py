"""What the report is made of, for the systems as they are: nothing is listed by hand."""

from pathlib import Path

import pytest
import yaml

from asdlib import report_paths
from asdlib.graph import Graph
from asdlib.recipes import merge

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS = sorted(path.stem for path in (ROOT / "config" / "systems").glob("*.yaml"))
LONGEST = 131_072  # bytes of one argument that Linux takes: a rule's whole command is one


@pytest.fixture(scope="module")
def graph() -> Graph:
    """All systems on the demo, under three seeds."""
    config: dict = {}
    for name in ("datasets", "checkpoints", "config", "demo"):
        config = merge(config, yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text()))
    return Graph({**config, "systems": SYSTEMS, "seeds": [1, 2, 3]}, ROOT)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_machine_s_illustrations_need_what_its_scores_need(graph: Graph, system: str) -> None:
    drawn = set(report_paths.illustrated(graph, system, "demo", "bearing"))
    variants = report_paths.first_variants(graph, system)
    assert {variant.seed for variant in variants} == {1}
    for variant in variants:
        assert set(graph.embeddings_of(variant, "demo", "bearing")) <= drawn
    assert set(graph.score_files(system, "training_score")) >= {path for path in drawn if "training_score" in path}
    assert "results/audio/raw/demo/bearing.parquet" in drawn


def test_an_ancestry_goes_down_to_the_leaves(graph: Graph) -> None:
    """Every recipe that serves a variant is an ancestor of one, and has its place among the costs; but backends."""
    found = {key for variant in graph.variants.values() for key in report_paths.ancestry(graph, variant)}
    assert found == {key for key in graph.table if key[0] != "backends"}
    recipes = report_paths.report_settings(graph)["recipes"]
    assert {(section, key) for section, keys in recipes.items() for key in keys} == found


def test_a_system_that_is_not_asked_for_is_not_needed(graph: Graph) -> None:
    alone = Graph({**graph.config, "systems": ["system3"]}, ROOT)
    assert {path.split("/")[1] for path in report_paths.part_paths(alone)} == {"system3"}
    settings = report_paths.report_settings(alone)
    assert [system["name"] for system in settings["systems"]] == ["system3"]
    assert {name for keys in settings["recipes"].values() for used in keys.values() for name in used} == {"system3"}


def test_the_settings_fit_a_command_line(graph: Graph) -> None:
    settings = report_paths.report_settings(graph)
    assert 5 * len(repr(settings)) < LONGEST  # every quotation mark becomes five characters
