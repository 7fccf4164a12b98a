"""The inputs of the report, for the shipped systems."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.toy_recordings import make_machine

from asdlib.report import inputs
from asdlib.report.settings import IllustrateSettings
from asdlib.workflow import inputs as inputs_of_scores
from asdlib.workflow.ancestry import public_for, recipes_of, separators_for, trained_for
from asdlib.workflow.graph import Graph
from asdlib.workflow.inputs import embeddings_of, score_files
from asdlib.workflow.job_file import as_json
from asdlib.workflow.recipes import merge
from asdlib.workflow.typed_settings import typed
from asdlib.workflow.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = sorted(path.stem for path in (ROOT / "config" / "systems").glob("*.yaml"))
LONGEST = 131_072  # bytes; the longest argument that Linux accepts: a rule's whole command is one argument


def read(name: str) -> dict:
    return read_yaml(ROOT / "config" / f"{name}.yaml")


SHIPPED = read("datasets") | read("checkpoints") | read("config")


@pytest.fixture(scope="module")
def graph() -> Graph:
    """Return the graph of all systems on the demo, with three seeds."""
    return Graph({**merge(SHIPPED, read("demo")), "systems": SYSTEMS, "seeds": [1, 2, 3]}, ROOT)


def settings_of(graph: Graph, system: str, dataset: str = "demo") -> IllustrateSettings:
    return typed(IllustrateSettings, inputs.illustrate_settings(graph, system, dataset))


def with_systems(graph: Graph, *systems: str) -> Graph:
    return Graph({**graph.config, "systems": list(systems)}, ROOT)


@pytest.mark.parametrize("system", SYSTEMS)
def test_illustrations_need_what_the_scores_need(graph: Graph, system: str) -> None:
    drawn = set(inputs.illustrated(graph, system, "demo"))
    variants = inputs.first_variants(graph, system)
    assert {variant.seed for variant in variants} == {1}
    for machine in graph.machines("demo"):
        for variant in variants:
            assert set(embeddings_of(variant, "demo", machine)) <= drawn
        assert f"results/audio/raw/demo/{machine}.parquet" in drawn
    needed = score_files(graph, system, "training_score")
    assert {path for path in needed if "/seed_1/" in path} == {path for path in drawn if "training_score" in path}
    assert not any("{" in path for path in drawn)


def test_the_settings_of_a_hundred_machines_fit_a_command_line() -> None:
    """They name patterns of files. In this dataset, machines have several sections, and a model for each of them."""
    older = Graph({**SHIPPED, "data": "dcase2020_dev"}, ROOT)
    for system in SYSTEMS:
        settings = inputs.illustrate_settings(older, system, "dcase2020_dev")
        _, sections = settings["machines"].popitem()
        settings["machines"] = {f"machine_{number}": sections for number in range(100)}
        assert 2 * len(as_json(settings)) < LONGEST


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("data", ["demo", "dcase2025_dev"])
def test_separated_clips_are_those_of_separators_that_the_scores_rest_on(system: str, data: str) -> None:
    """A separator that is used only on a corpus has no clips of another dataset."""
    chosen = Graph({**SHIPPED, "data": data}, ROOT)
    for variant in inputs.first_variants(chosen, system):
        rests_on = {path.split("/")[2] for path in trained_for(chosen, variant, data, "fan")
                    if re.fullmatch(f"results/separators/[^/]+/{data}/fan/.*", path)}  # fmt: skip
        for machine in chosen.machines(data):
            assert set(separators_for(chosen, variant, data, machine)) == rests_on
    settings = inputs.illustrate_settings(chosen, system, data)
    drawn = {view.split("/")[1] for variant in settings["variants"] for view in variant["separators"]}
    assert set(inputs.report_settings(with_systems(chosen, system))["systems"][0]["separators"]) == drawn


def test_separators_used_only_on_a_corpus_are_not_required_elsewhere() -> None:
    """No corpus of the shipped recipes contains the demo; one contains the development set of 2025."""
    elsewhere, within = (Graph({**SHIPPED, "data": data}, ROOT) for data in ("demo", "dcase2025_dev"))
    wanted = [inputs.illustrated(one, "system4", name) for one, name in
              ((elsewhere, "demo"), (within, "dcase2025_dev"))]  # fmt: skip
    assert [any("/separated/" in path for path in paths) for paths in wanted] == [False, True]


AUTOENCODERS = {"conditional_autoencoder", "conditional_dense_autoencoder", "dense_autoencoder"}


@pytest.mark.parametrize("system", SYSTEMS)
def test_autoencoders_of_log_mel_frames_have_maps_of_their_errors(graph: Graph, system: str) -> None:
    shown = settings_of(graph, system).of("bearing")
    for variant in inputs.first_variants(graph, system):
        own = [one for one in shown.errors if variant.name in one.variants]
        kinds = {branch.model.kind for branch in variant.branches}
        assert len(own) == len(
            kinds & {"conditional_autoencoder", "conditional_dense_autoencoder", "dense_autoencoder"}
        )
        for one in own:
            assert one.embeddings in embeddings_of(variant, "demo", "bearing")
            assert one.embeddings == f"results/embeddings/{one.name}/{one.view}/demo/bearing.parquet"
            assert one.weights_of("00") == f"results/models/{one.name}/demo/bearing/model.safetensors"
    drawn = inputs.illustrated(graph, system, "demo")
    wanted = {path for one in shown.errors for path in (one.weights_of("00"), one.embeddings)}
    assert wanted <= set(drawn)
    assert not any(path.startswith("results/features/") for path in drawn)  # they may be deleted, see the FAQ


@pytest.mark.parametrize("system", SYSTEMS)
def test_other_models_are_compared_by_the_clips_that_they_read(graph: Graph, system: str) -> None:
    shown = settings_of(graph, system).of("bearing")
    assert {one.path for one in shown.compared} == {one.path for one in shown.maps} - {
        one.embeddings for one in shown.errors
    }
    for one in shown.compared:
        assert f"/{one.view}/demo/bearing.parquet" in one.path
        assert shown.views[one.view] == f"results/audio/{one.view}/demo/bearing.parquet"
    assert set(shown.views.values()) <= set(inputs.illustrated(graph, system, "demo"))


@pytest.mark.parametrize(
    ("system", "read"), [("baseline", ["mse", "mahalanobis"]), ("neighbours", ["representations"])]
)
def test_a_map_is_named_after_what_the_backend_reads(graph: Graph, system: str, read: list[str]) -> None:
    maps = settings_of(graph, system).of("fan").maps
    assert [one.name.partition(" of ")[0] for one in maps] == read


def players_of(graph: Graph, dataset: str) -> list[int]:
    settings = settings_of(graph, "baseline", dataset)
    return [settings.of(machine).players for machine in settings.machines]


def test_players_are_divided_over_the_machines(graph: Graph) -> None:
    assert players_of(graph, "demo") == [100] * 3
    shipped = Graph({**SHIPPED, "systems": ["baseline"]}, ROOT)
    assert players_of(shipped, "dcase2025_dev") == [43] * 6 + [42]


@pytest.mark.parametrize(
    ("players", "machines", "each"), [(2, 3, [1, 1, 0]), (0, 3, [0, 0, 0]), (300, 301, [1] * 300 + [0])]
)
def test_no_player_is_lost_by_the_division(graph: Graph, players: int, machines: int, each: list[int]) -> None:
    settings = replace(
        settings_of(graph, "baseline"), players=players, machines={str(n): ["00"] for n in range(machines)}
    )
    assert [settings.of(machine).players for machine in settings.machines] == each


@pytest.mark.parametrize(
    ("seconds", "rate", "wanted", "players"),
    [(10.0, 44100, 300, 300), (4.0, 16000, 300, 300), (60.0, 16000, 300, 50), (10.0, 96000, 300, 30),
     (60.0, 96000, 300, 5), (60.0, 16000, 2, 1), (60.0, 16000, 0, 0)],
)  # fmt: skip
def test_long_clips_and_those_without_mp3_have_fewer_players(
    graph: Graph, seconds: float, rate: int, wanted: int, players: int
) -> None:
    changed = {"prepare": {"seconds": seconds, "sample_rate": rate}, "report": {"players": wanted}}
    assert settings_of(Graph(merge(graph.config, changed), ROOT), "neighbours").players == players


def test_maps_of_errors_are_by_the_model_of_the_section() -> None:
    older = with_systems(Graph({**SHIPPED, "data": "dcase2020_dev"}, ROOT), "baseline")
    for machine, sections in older.datasets["dcase2020_dev"].machines.items():
        (one,) = settings_of(older, "baseline", "dcase2020_dev").of(machine).errors
        assert one.variants == ["mse", "mahalanobis"]
        assert len(sections) > 1
        models = inputs_of_scores.section_models(older, older.recipe("models", one.name), "dcase2020_dev", machine)
        assert {section: one.weights_of(section) for section in sections} == models


def test_errors_of_frequencies_that_are_not_mel_bands_are_not_drawn(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "BANDED", "magnitude_spectrogram")
    assert inputs.illustrate_settings(graph, "system3", "demo")["errors"] == []


def test_recipes_go_down_to_the_leaves(graph: Graph) -> None:
    """Every recipe that a variant uses is one of its ancestors and has a row of costs, except backends."""
    found = {key for variant in graph.variants.values() for key in recipes_of(graph, variant)}
    shared = {(registry, name) for registry, names in graph.recipes.shared.items() for name in names}
    assert found == {
        (registry, key) for (registry, key), recipe in graph.recipes_by_key.items()
        if registry != "backends" and (registry, recipe.name) not in shared
    }  # fmt: skip
    recipes = inputs.report_settings(graph)["recipes"]
    assert {(registry, key) for registry, keys in recipes.items() for key in keys} == found
    assert all(list(keys) == sorted(keys) for keys in recipes.values()), "another order would make the page anew"


def test_costs_are_of_the_chosen_systems_data_and_public_weights() -> None:
    """The corpora and public weights of systems that were not chosen are not on the page."""
    shipped = Graph(SHIPPED, ROOT)
    alone = inputs.report_settings(with_systems(shipped, "system3"))
    assert alone["recorded"] == ["dcase2025_dev"]
    assert "checkpoints" not in alone["recipes"]
    learned = inputs.report_settings(with_systems(shipped, "system4"))
    assert learned["recorded"][0] == "dcase2025_dev"
    assert {"dcase2020_dev", "corpus"} < set(learned["recorded"])
    assert "demo_older" not in learned["recorded"]
    here = {"augmentations": {"noise_everywhere": {"noise_from": ["demo"]}}}
    noisy = Graph(merge(SHIPPED, {"override": here, "systems": ["system4"]}), ROOT)
    assert set(inputs.report_settings(noisy)["recorded"]) == {*learned["recorded"], "demo"}
    assert all(used_by == ["system4"] for used_by in learned["recipes"]["checkpoints"].values())
    files = {path for variant in inputs.first_variants(shipped, "system4") for path in public_for(variant)}
    assert set(learned["recipes"]["checkpoints"]) == {Path(path).parent.name for path in files}


def test_the_page_s_settings_name_what_differs_from_the_shipped_blocks() -> None:
    shipped = with_systems(Graph(SHIPPED, ROOT), "system4")
    assert inputs.report_settings(shipped)["config"]["checkpoints"] == {}
    assert list(inputs.report_settings(shipped)["config"]["datasets"]) == ["dcase2025_dev"]
    pinned = {"checkpoints": {"eat_base": {"sha256": "0" * 64}}, "datasets": {"dcase2020_dev": {"machines": ["fan"]}}}
    own = with_systems(Graph(merge(SHIPPED, pinned), ROOT), "system4")
    settings = inputs.report_settings(own)["config"]
    assert {name: block["sha256"] for name, block in settings["checkpoints"].items()} == {"eat_base": "0" * 64}
    assert settings["datasets"]["dcase2020_dev"]["machines"] == ["fan"]
    again = Graph(merge(SHIPPED, settings), ROOT)
    assert inputs.report_settings(again) == inputs.report_settings(own)


def test_trainings_that_are_not_of_a_machine_are_named(graph: Graph) -> None:
    def trainings(graph: Graph, system: str) -> dict[str, list[str]]:
        (settings,) = inputs.report_settings(with_systems(graph, system))["systems"]
        return {graph.recipe("models", key).name: own for key, own in settings["models"].items()}

    assert list(trainings(graph, "system3").values()) == [[]] * 4, "one for each machine"
    assert trainings(graph, "system5") == {"dual_branch_cnn": ["demo/all"], "acae": ["demo/all"]}
    assert trainings(graph, "encoders") == {"beats_adapted": ["corpus/all"]}, "the others are not trained"
    older = trainings(Graph({**SHIPPED, "data": "dcase2020_dev"}, ROOT), "baseline")
    assert older["dense_ae"][:2] == ["dcase2020_dev/ToyCar@01", "dcase2020_dev/ToyCar@02"]


def test_a_folder_that_is_not_declared_has_no_block(tmp_path: Path) -> None:
    make_machine(tmp_path / "mine" / "fan", train=1, test=1, seconds=0.1)
    own = Graph({**SHIPPED, "data": str(tmp_path / "mine"), "systems": ["neighbours"]}, ROOT)
    settings = inputs.report_settings(own)
    assert (list(settings["datasets"]), settings["config"]["datasets"]) == (["mine"], {})


def test_trainings_that_stop_early_are_known(graph: Graph) -> None:
    for system in inputs.report_settings(graph)["systems"]:
        recipes = [("separators", key) for key in system["separators"]] + [("models", key) for key in system["models"]]
        stops = [key for registry, key in recipes if (graph.recipe(registry, key).training or {}).get("early_stop")]
        assert system["early_stop"] == stops
        assert bool(stops) or system["name"] not in ("system3", "system4")


def test_a_system_that_is_not_asked_for_is_not_needed(graph: Graph) -> None:
    alone = with_systems(graph, "system3")
    assert {path.split("/")[1] for path in inputs.part_paths(alone)} == {"system3"}
    settings = inputs.report_settings(alone)
    assert [system["name"] for system in settings["systems"]] == ["system3"]
    assert {name for keys in settings["recipes"].values() for used in keys.values() for name in used} == {"system3"}


def test_the_settings_fit_a_command_line(graph: Graph) -> None:
    settings = inputs.report_settings(graph)
    assert 5 * len(repr(settings)) < LONGEST  # every quotation mark is quoted as five characters
