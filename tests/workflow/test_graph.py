"""The graph: input files and settings of the rules, from their wildcards."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.checkout import TOY_SYSTEM
from helpers.toy_recordings import make_machine

from asdlib.data.fetching.retry import Network
from asdlib.data.made import record
from asdlib.errors import AsdError
from asdlib.evaluation.tables import TableSettings
from asdlib.report import inputs as report_inputs
from asdlib.report.settings import IllustrateSettings, ReportSettings
from asdlib.scoring.settings import ScoreSettings
from asdlib.steps.fetch_checkpoint import PublishedFile
from asdlib.steps.prepare import PrepareSettings
from asdlib.steps.prepare_noise import NoiseSettings
from asdlib.workflow import inputs, paths, recipes, settings, stage_code
from asdlib.workflow.ancestry import networks_for, trained_for
from asdlib.workflow.datasets import fingerprint
from asdlib.workflow.graph import Graph
from asdlib.workflow.job_file import as_json
from asdlib.workflow.recipe import Recipe
from asdlib.workflow.typed_settings import typed
from asdlib.workflow.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]
CONFIG = {
    **read_yaml(ROOT / "config" / "config.yaml"),
    **read_yaml(ROOT / "config" / "datasets.yaml"),
    **read_yaml(ROOT / "config" / "checkpoints.yaml"),
    "data": "toy",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a workflow with the toy system and two machines, one of which has two sections."""
    monkeypatch.setattr(recipes.recipe_check, "check", lambda *_: None)  # the toy classes do not exist
    (tmp_path / "config" / "systems").mkdir(parents=True)
    (tmp_path / "config" / "systems" / "toy.yaml").write_text((TOY_SYSTEM / "toy.yaml").read_text())
    make_machine(tmp_path / "toy" / "fan", train=2, test=1, seconds=0.1, sections=("00", "01"))
    make_machine(tmp_path / "toy" / "pump", train=2, test=1, seconds=0.1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def graph(root: Path, **changes: Any) -> Graph:
    """Return the graph of the default config with some settings changed."""
    return Graph({**copy.deepcopy(CONFIG), "systems": ["toy"], **changes}, root)


def key(graph: Graph, registry: str, name: str, seed: int = 13711) -> str:
    return graph.recipes.resolve(registry, name, seed).key


def test_a_joint_model_reads_every_machine_and_view(root: Path) -> None:
    toy = graph(root)
    joint, levels = key(toy, "models", "toy_joint"), key(toy, "frontends", "toy_levels")
    mix = key(toy, "augmentations", "toy_mix")
    assert inputs.training_features(toy, joint, "toy", "all") == [
        f"results/features/{levels}/augmented/{mix}/toy/fan.parquet",
        f"results/features/{levels}/raw/toy/fan.parquet",
        f"results/features/{levels}/augmented/{mix}/toy/pump.parquet",
        f"results/features/{levels}/raw/toy/pump.parquet",
    ]
    assert inputs.init_weights(toy, joint, "toy", "all") == []
    assert inputs.embedded_features(toy, joint, "raw", "toy", "fan") == f"results/features/{levels}/raw/toy/fan.parquet"


def test_a_machine_s_model_starts_from_the_joint_one(root: Path) -> None:
    toy = graph(root)
    tuned, joint = key(toy, "models", "toy_tuned"), key(toy, "models", "toy_joint")
    gain, levels = key(toy, "separators", "toy_gain"), key(toy, "frontends", "toy_levels")
    assert inputs.training_features(toy, tuned, "toy", "fan") == [
        f"results/features/{levels}/separated/{gain}/toy/fan.parquet"
    ]
    assert inputs.init_weights(toy, tuned, "toy", "fan") == [f"results/models/{joint}/toy/all/model.safetensors"]
    own = inputs.weights(toy.recipe("models", tuned), "toy", "fan")
    assert own == f"results/models/{tuned}/toy/fan/model.safetensors"
    assert inputs.separated_for(toy, key(toy, "augmentations", "toy_mix"), "toy", "fan") == [
        f"results/audio/separated/{gain}/toy/fan.parquet"
    ]


def test_each_section_of_a_machine_may_have_a_model_of_its_own(root: Path) -> None:
    """A machine with a single section has one model, in the place of that of any other scope."""
    toy = graph(root, override={"models": {"toy_tuned": {"scope": "section"}}})
    tuned = toy.recipe("models", key(toy, "models", "toy_tuned"))
    folder = f"results/models/{tuned.key}/toy"
    assert inputs.trainings(toy, tuned, "toy", "fan") == ["fan@00", "fan@01"]
    assert inputs.trainings(toy, tuned, "toy", "pump") == ["pump"]
    expected = {section: f"{folder}/fan@{section}/model.safetensors" for section in ("00", "01")}
    assert inputs.section_models(toy, tuned, "toy", "fan") == expected
    assert inputs.section_models(toy, tuned, "toy", "pump") == {}
    assert inputs.all_weights(toy, tuned, "toy", "pump") == [f"{folder}/pump/model.safetensors"]
    both = toy.variant("toy", "both", "")
    assert set(expected.values()) < set(networks_for(toy, both, "toy", "fan"))
    assert set(expected.values()) < set(trained_for(toy, both, "toy", "fan"))
    (features,) = inputs.training_features(toy, tuned.key, "toy", "fan@01")
    assert features.endswith("/toy/fan.parquet")
    joint = key(toy, "models", "toy_joint")
    assert inputs.init_weights(toy, tuned.key, "toy", "fan@01") == [f"results/models/{joint}/toy/all/model.safetensors"]
    for wrong in ("fan", "pump@00"):
        with pytest.raises(
            AsdError, match=rf"/toy/{wrong}/model.safetensors: its scope is section: request that scope"
        ):
            inputs.training_features(toy, tuned.key, "toy", wrong)
    with pytest.raises(AsdError, match=r"/toy/fan@07/model.safetensors: fan has no section 07: request one of: 00, 01"):
        inputs.training_features(toy, tuned.key, "toy", "fan@07")
    plain = graph(root)
    with pytest.raises(AsdError, match=r"/toy/fan@00/model.safetensors: its scope is machine: request that scope"):
        inputs.training_features(plain, key(plain, "models", "toy_tuned"), "toy", "fan@00")


def test_a_section_starts_from_its_own_model(root: Path) -> None:
    system = read_yaml(root / "config" / "systems" / "toy.yaml")
    system["models"]["toy_tuned"]["scope"] = "section"
    system["models"]["toy_again"] = {**system["models"]["toy_tuned"], "init": "toy_tuned"}
    (root / "config" / "systems" / "toy.yaml").write_text(yaml.safe_dump(system))
    toy = graph(root)
    again, tuned = key(toy, "models", "toy_again"), key(toy, "models", "toy_tuned")
    for trained in ("fan@01", "pump"):
        start = f"results/models/{tuned}/toy/{trained}/model.safetensors"
        assert inputs.init_weights(toy, again, "toy", trained) == [start]


def test_the_baseline_has_one_model_per_section_up_to_2022() -> None:
    real = Graph({**CONFIG, "data": ["dcase2020_dev", "dcase2021_eval", "dcase2022_eval", "dcase2025_dev"]}, ROOT)
    model = real.recipe("models", key(real, "models", "dense_ae"))
    found = {name: inputs.trainings(real, model, name, "fan") for name in real.datasets}
    assert found == {
        "dcase2020_dev": ["fan@00", "fan@02", "fan@04", "fan@06"],
        "dcase2021_eval": ["fan@03", "fan@04", "fan@05"],
        "dcase2022_eval": ["fan@03", "fan@04", "fan@05"],
        "dcase2025_dev": ["fan"],
    }


def test_a_corpus_model_reads_its_datasets_and_serves_every_dataset(root: Path) -> None:
    make_machine(root / "older" / "valve", train=2, test=1, seconds=0.1)
    own = {name: {"folder": str(root / name)} for name in ("older", "newer")}
    (root / "toy").rename(root / "newer")
    corpus = {"models": {"toy_joint": {"corpus": ["older", "newer"]}}}
    toy = graph(root, data="newer", datasets=CONFIG["datasets"] | own, override=corpus)
    joint, tuned = key(toy, "models", "toy_joint"), key(toy, "models", "toy_tuned")
    read = inputs.training_features(toy, joint, "corpus", "all")
    assert {path.partition("toy_levels")[2].split("/")[-2:][0] for path in read} == {"older", "newer"}
    assert len(read) == 2 * 3  # two views of three machines
    assert (
        inputs.weights(toy.recipe("models", joint), "newer", "fan")
        == inputs.init_weights(toy, tuned, "newer", "fan")[0]
    )
    assert inputs.init_weights(toy, tuned, "newer", "fan") == [f"results/models/{joint}/corpus/all/model.safetensors"]
    assert {section.dataset for section in toy.sections} == {"newer"}
    with pytest.raises(AsdError, match=r"the model is trained on a corpus: request corpus$"):
        inputs.training_features(toy, joint, "newer", "all")


def test_a_corpus_of_an_unknown_dataset_is_refused(root: Path) -> None:
    with pytest.raises(AsdError, match=r"^config: models.toy_joint.corpus: there is no dataset 'nowhere': use one of"):
        graph(root, override={"models": {"toy_joint": {"corpus": ["nowhere"]}}})


@pytest.mark.parametrize(("data", "expected"), [("toy", ["older", "toy"]), (["toy", "older"], ["older", "toy"])])
def test_the_datasets_of_a_run_join_a_corpus_that_names_them(root: Path, data: str, expected: list[str]) -> None:
    make_machine(root / "older" / "valve", train=2, test=1, seconds=0.1)
    own = CONFIG["datasets"] | {name: {"folder": str(root / name)} for name in ("older", "toy")}
    toy = graph(root, data=data, datasets=own, override={"models": {"toy_joint": {"corpus": ["older", "scored"]}}})
    joint = toy.recipes.resolve("models", "toy_joint", 0)
    assert joint.corpus == expected
    listed = graph(root, data=data, datasets=own, override={"models": {"toy_joint": {"corpus": expected}}})
    assert listed.recipes.resolve("models", "toy_joint", 0).key == joint.key  # the word leaves no trace


def test_the_order_of_the_datasets_of_a_run_is_not_in_the_key_of_a_model(root: Path) -> None:
    make_machine(root / "older" / "valve", train=2, test=1, seconds=0.1)
    orders = [["toy", "older"], ["older", "toy"]]
    runs = [graph(root, data=data, override={"models": {"toy_joint": {"corpus": ["scored"]}}}) for data in orders]
    one, other = (run.recipes.resolve("models", "toy_joint", 0) for run in runs)
    assert (one.corpus, one.key) == (["older", "toy"], other.key)


def test_system4_learns_this_year_s_machines_and_your_own_in_its_second_phase(root: Path) -> None:
    official = ["dcase2025_dev", "dcase2025_eval"]
    later = ("audiomae_phase2", "beats_phase2", "fusion_attention", "fusion_mean")
    for data, expected in (("dcase2025_dev", official), ("dcase2025_eval", official), ("toy", [*official, "toy"])):
        real = Graph({**CONFIG, "data": data}, ROOT)
        assert [real.recipes.resolve("models", name, 0).corpus for name in later] == [expected] * 4
    tuned = key(real, "models", "beats_phase2")
    read = inputs.training_features(real, tuned, "corpus", "all")
    assert sum("/raw/dcase2025_" in path for path in read) == 15
    assert [path.split("/")[-2:] for path in read[15:]] == [["toy", "fan.parquet"], ["toy", "pump.parquet"]]


@pytest.mark.parametrize("data", ["dcase2025_dev", ["dcase2024_dev", "dcase2025_eval"]])
def test_earlier_years_of_a_corpus_have_no_features_of_test_clips(data: str | list[str]) -> None:
    """What a training reads does not depend on what is scored: else scoring another dataset would train it again."""
    real = Graph({**CONFIG, "data": data}, ROOT)
    corpora = {r.name: r.key for (registry, _), r in real.recipes_by_key.items() if registry == "models" and r.corpus}
    read = {name: inputs.training_features(real, model, "corpus", "all") for name, model in corpora.items()}
    assert read.keys() >= {"eat_all_years", "audiomae_adapted", "beats_phase1", "fusion_mean"}
    for path in {path for paths_of_one in read.values() for path in paths_of_one}:
        earlier = re.search(r"/dcase202[0-4]_", path) and "/augmented/" not in path  # augmented clips are for training
        assert ("/train/" in path) == bool(earlier), path
    assert sum("/train/" in path for path in read["eat_all_years"]) == 70
    embedded = inputs.embedded_features(real, corpora["eat_all_years"], "raw", "dcase2024_dev", "fan")
    assert embedded.endswith("/raw/dcase2024_dev/fan.parquet")


def test_system4_adds_the_noise_of_2025_to_public_recordings_and_your_own_noise_to_yours(root: Path) -> None:
    real = Graph({**CONFIG, "data": "toy"}, ROOT)
    noisy = key(real, "augmentations", "noise_everywhere")
    for dataset, machine, others in (("dcase2020_dev", "fan", 15), ("dcase2025_dev", "fan", 14)):
        read = inputs.noise_for_augmentation(real, noisy, dataset, machine)
        assert len(read) == others
        assert all(path.split("/")[-2] in ("dcase2025_dev", "dcase2025_eval") for path in read)
    assert inputs.noise_for_augmentation(real, noisy, "toy", "fan") == ["results/audio/raw/toy/pump.parquet"]


def test_null_gives_every_recording_the_noise_of_its_own_dataset(root: Path) -> None:
    override = {"augmentations": {"noise_everywhere": {"noise_from": None}}}
    real = Graph({**CONFIG, "data": "toy", "override": override}, ROOT)
    read = inputs.noise_for_augmentation(real, key(real, "augmentations", "noise_everywhere"), "dcase2020_dev", "fan")
    assert {path.split("/")[-2] for path in read} == {"dcase2020_dev"}


@pytest.mark.parametrize("name", ["nowhere", "scored"])  # `scored` is a word of a corpus only
def test_noise_from_an_unknown_dataset_is_refused(root: Path, name: str) -> None:
    expected = rf"^config: augmentations.toy_mix.noise_from: there is no dataset '{name}': use one of"
    change = {"noise": "pool", "noise_from": [name]}
    with pytest.raises(AsdError, match=expected):
        _ = graph(root, override={"augmentations": {"toy_mix": change}}).all_datasets


def test_noise_that_is_named_but_not_added_is_refused(root: Path) -> None:
    with pytest.raises(AsdError, match=r"toy_mix.noise_from: is ignored without noise: pool: add this"):
        graph(root, override={"augmentations": {"toy_mix": {"noise_from": ["toy"]}}})


def test_all_variants_of_system4_share_their_trainings() -> None:
    """The first phase trains for 100 epochs on the 170,000 clips of the corpus, and must run only once."""
    real = Graph({**CONFIG, "data": ["dcase2025_dev", "dcase2025_eval"]}, ROOT)
    variants = [variant for (system, _, _), variant in real.variants.items() if system == "system4"]
    trained = {
        weights
        for variant in variants
        for branch in variant.branches
        for dataset in real.datasets
        for weights in trainings(branch.model, dataset)
    }
    assert len(variants) == 4
    paths = sorted(re.sub(r"-[0-9a-f]{6}/", "/", weights) for weights in trained)
    first = ("audiomae_adapted", "audiomae_phase1", "beats_phase1")
    second = ("audiomae_phase2", "beats_phase2", "fusion_attention", "fusion_mean")
    assert paths == [f"results/models/{name}/corpus/all/model.safetensors" for name in sorted([*first, *second])]


def trainings(model: Recipe, dataset: str) -> set[str]:
    """Return the weights of a model and, recursively, of the models that it is initialised from."""
    return {inputs.weights(model, dataset, "fan")}.union(*(trainings(init, dataset) for init in model.init))


def test_noise_comes_from_the_other_machines_and_the_pool(root: Path) -> None:
    toy = graph(root)
    mix = key(toy, "augmentations", "toy_mix")
    assert inputs.noise_for_separator(toy, "toy", "fan") == ["results/audio/raw/toy/pump.parquet"]
    assert inputs.noise_for_augmentation(toy, mix, "toy", "fan") == []
    (root / "rain").mkdir()
    (root / "rain" / "a.wav").touch()
    toy = graph(root, noise_pool="rain", override={"augmentations": {"toy_mix": {"noise": "pool"}}})
    expected = ["results/audio/raw/toy/pump.parquet", "results/audio/noise/toy.parquet"]
    assert (
        inputs.noise_for_separator(toy, "toy", "fan")
        == inputs.noise_for_augmentation(toy, key(toy, "augmentations", "toy_mix"), "toy", "fan")
        == expected
    )


@pytest.mark.parametrize(("model", "machine"), [("toy_joint", "fan"), ("toy_tuned", "all")])
def test_a_model_has_no_other_scope_than_its_own(root: Path, model: str, machine: str) -> None:
    toy = graph(root)
    with pytest.raises(AsdError, match=rf"^results/models/{model}-\w+/toy/{machine}/model.safetensors: its scope is"):
        inputs.training_features(toy, key(toy, "models", model), "toy", machine)


def test_a_variant_reads_its_branches_embeddings_in_order(root: Path) -> None:
    toy = graph(root)
    joint, tuned = key(toy, "models", "toy_joint"), key(toy, "models", "toy_tuned")
    gain = key(toy, "separators", "toy_gain")
    both = toy.variant("toy", "both", "")
    assert inputs.embeddings_of(both, "toy", "pump") == [
        f"results/embeddings/{joint}/raw/toy/pump.parquet",
        f"results/embeddings/{tuned}/separated/{gain}/toy/pump.parquet",
    ]
    scored = settings.score(toy, both, "toy", "01")
    assert [(b["backend"]["name"], b["views"]) for b in scored["branches"]] == [("toy_distance", 1)] * 2
    assert (scored["section"], scored["fusion"], scored["decision"]) == (
        "01",
        "mean",
        {"threshold": "fitted", "quantile": 0.9},
    )


def test_decisions_on_the_challenge_s_recordings_are_the_published_ones(root: Path) -> None:
    """The run says otherwise for all, or sets another quantile."""
    chosen = {}
    for kind in ("auto", "fitted", "published"):
        toy = graph(root, data=["toy", "dcase2025_eval"], threshold=kind, quantile=0.99)
        both = toy.variant("toy", "both", "")
        chosen[kind] = [settings.decision(toy, both, name)["threshold"] for name in ("toy", "dcase2025_eval")]
        assert settings.decision(toy, both, "toy")["quantile"] == 0.99
    assert chosen == {"auto": ["fitted", "published"], "fitted": ["fitted"] * 2, "published": ["published"] * 2}


def test_score_files_of_one_seed_and_of_several(root: Path) -> None:
    files = inputs.score_files(graph(root), "toy", "anomaly_score")
    assert files[:3] == [
        "results/toy/joint/toy/anomaly_score_fan_section_00_test.csv",
        "results/toy/joint/toy/anomaly_score_fan_section_01_test.csv",
        "results/toy/joint/toy/anomaly_score_pump_section_00_test.csv",
    ]
    assert len(files) == 6
    assert inputs.score_files(graph(root), "toy", "training_score")[0] == (
        "results/toy/joint/toy/training_score_fan_section_00_train.json"
    )
    several = graph(root, seeds=[5, 6])
    assert len(set(inputs.score_files(several, "toy", "decision_result"))) == 12
    assert "results/toy/both/toy/seed_6/decision_result_pump_section_00_test.csv" in inputs.score_files(
        several, "toy", "decision_result"
    )
    five, six = (several.variant("toy", "joint", f"/seed_{seed}") for seed in (5, 6))
    assert (five.seed, six.seed) == (5, 6)
    assert five.branches[0].model.key != six.branches[0].model.key
    assert five.branches[0].backend == six.branches[0].backend


def test_the_table_s_settings_name_every_variant_seed_and_section(root: Path) -> None:
    table = settings.tabulate(graph(root, seeds=[5, 6]), "toy")
    assert [(v["variant"], v["seed"]) for v in table["variants"]] == [
        ("joint", 5), ("both", 5), ("joint", 6), ("both", 6),
    ]  # fmt: skip
    assert table["variants"][0]["folders"] == {"toy": "results/toy/joint/toy/seed_5"}
    assert [tuple(section.values()) for section in table["sections"]] == [
        ("toy", "fan", "00"), ("toy", "fan", "01"), ("toy", "pump", "00"),
    ]  # fmt: skip


def test_reported_figures_are_named_relative_to_the_working_directory(root: Path) -> None:
    toy = graph(root)
    assert inputs.reported_file(toy, "toy") == []
    (root / "resources" / "reported").mkdir(parents=True)
    (root / "resources" / "reported" / "toy.csv").touch()
    assert inputs.reported_file(toy, "toy") == ["resources/reported/toy.csv"]


def test_prepare_knows_the_recordings_by_name_size_and_time(root: Path) -> None:
    before = settings.prepare(graph(root), "toy", "fan")
    assert before == settings.prepare(graph(root), "toy", "fan")
    assert before["sections"] == ["00", "01"]
    assert before["strict"]
    next((root / "toy" / "fan" / "train").iterdir()).touch()
    after = settings.prepare(graph(root), "toy", "fan")
    assert {name for name in before if before[name] != after[name]} == {"recordings"}
    assert settings.prepare(graph(root), "toy", "pump")["recordings"] not in (before["recordings"], after["recordings"])


def test_prepare_noise_knows_the_pool(root: Path) -> None:
    (root / "rain").mkdir()
    (root / "rain" / "a.wav").touch()
    changes = {"noise_pool": "rain", "prepare": CONFIG["prepare"] | {"channel": 1}}
    before = settings.prepare_noise(graph(root, **changes), "toy")
    assert typed(NoiseSettings, before).channel == 1
    (root / "rain" / "b.wav").touch()
    after = settings.prepare_noise(graph(root, **changes), "toy")
    assert {name for name in before if before[name] != after[name]} == {"recordings"}


def test_fetched_datasets(root: Path) -> None:
    both = graph(root, data=["toy", "demo", "dcase2025_eval"])
    assert both.fetched() == ["demo", "dcase2025_eval"]
    assert inputs.fetched_recordings(both, "toy", "fan") == []
    assert inputs.fetched_recordings(both, "demo", "fan") == ["resources/downloads/recordings/demo/fan"]
    assert settings.prepare(both, "demo", "fan")["recordings"] is None
    assert settings.prepare(both, "demo", "fan")["strict"]
    assert not settings.prepare(both, "dcase2025_eval", "Polisher")["strict"]
    assert settings.prepare(both, "dcase2025_eval", "Polisher")["supplements"] is None
    stated = {"demo": {**both.config["datasets"]["demo"], "supplements": {"fan": "noise"}}}
    other = graph(root, data="demo", datasets={**both.config["datasets"], **stated})
    assert [settings.prepare(other, "demo", machine)["supplements"] for machine in ("fan", "valve")] == ["noise", None]
    assert stage_code.of_download(both, "demo") != stage_code.of_download(both, "dcase2025_eval")


def test_recordings_that_the_user_has_placed_are_used_and_not_fetched(root: Path) -> None:
    fetched = graph(root, data=["demo", "dcase2025_eval"])
    placed, official = (root / paths.own_recordings(*one) for one in (("demo", "fan"), ("dcase2025_eval", "Polisher")))
    make_machine(placed, train=1, target=0, test=1, seconds=0.01)
    official.parent.mkdir(parents=True)
    official.symlink_to(placed)
    assert fetched.all_datasets["demo"].recordings("fan") == Path("resources/demo/fan")
    assert inputs.fetched_recordings(fetched, "demo", "fan") == []
    assert inputs.fetched_recordings(fetched, "demo", "valve") == ["resources/downloads/recordings/demo/valve"]
    before = settings.prepare(fetched, "demo", "fan")
    assert (
        before["recordings"]
        == fingerprint(placed)
        == settings.prepare(fetched, "dcase2025_eval", "Polisher")["recordings"]
    )
    next((placed / "train").iterdir()).touch()
    assert settings.prepare(graph(root, data="demo"), "demo", "fan") != before


def test_the_near_microphone_is_that_of_a_dataset_that_says_so_unless_the_run_names_another(root: Path) -> None:
    of_2026 = graph(root, data=["dcase2026_dev", "dcase2025_dev", "toy"])
    both = [settings.prepare(of_2026, "dcase2026_dev", "fan", view)["channel"] for view in ("raw", "far")]
    assert both == ["near", "far"]
    assert settings.prepare(of_2026, "dcase2025_dev", "fan")["channel"] is None
    mine = {**CONFIG["prepare"], "channel": "far"}
    far = graph(root, data=["dcase2026_dev", "toy"], prepare=mine)
    assert settings.prepare(far, "dcase2026_dev", "fan")["channel"] == "far"
    for run, name, now in ((far, "dcase2026_dev", "far"), (of_2026, "toy", "null")):
        with pytest.raises(
            AsdError, match=rf"prepare\.channel: is {now}, but a recipe compares both .* of {name}: use"
        ):
            settings.prepare(run, name, "fan", "far")
    zero = graph(root, prepare={**CONFIG["prepare"], "channel": 0})
    assert settings.prepare(zero, "toy", "fan", "far")["channel"] == "far"


def test_the_far_microphone_changes_no_settings_of_other_recordings(root: Path) -> None:
    """They are params, and the head of the table."""
    toy, fan = graph(root), root / "toy" / "fan"
    assert settings.prepare(toy, "toy", "fan") == {
        "sample_rate": 16000, "seconds": 10.0, "longer": "cut", "resample": False, "downmix": False, "channel": None,
        "allow_silent": False, "sections": ["00", "01"], "recordings": fingerprint(fan), "strict": True,
        "layout": "challenge", "test_share": 0.0, "supplements": None,
    }  # fmt: skip


def test_labels_that_would_not_be_fetched_are_said_to_be_missing(root: Path) -> None:
    placed = make_machine(root / "resources/dcase2025_eval/Polisher", train=1, target=0, test=1, seconds=0.01)
    labelled = graph(root, data="dcase2025_eval", ground_truth=True)
    assert inputs.fetched_recordings(graph(root, data="dcase2025_eval"), "dcase2025_eval", "Polisher") == []
    with pytest.raises(AsdError, match=r"^resources/dcase2025_eval/Polisher: has no ground_truth\.csv, and labels are"):
        inputs.fetched_recordings(labelled, "dcase2025_eval", "Polisher")
    (placed / "Ground_Truth.CSV").touch()  # read in every case
    assert inputs.fetched_recordings(labelled, "dcase2025_eval", "Polisher") == []


@pytest.mark.parametrize("spoil", [Path.mkdir, Path.touch, lambda place: place.symlink_to("unmounted")])
def test_a_place_for_recordings_without_recordings_is_refused(root: Path, spoil: Callable[[Path], None]) -> None:
    place = root / "resources" / "demo" / "fan"
    place.parent.mkdir(parents=True)
    spoil(place)
    with pytest.raises(
        AsdError, match=r"^resources/demo/fan: has neither train nor test: add recordings, or remove it"
    ):
        inputs.fetched_recordings(graph(root, data="demo"), "demo", "fan")


def test_public_weights_that_the_user_has_placed_are_used_and_not_fetched(root: Path) -> None:
    shipped = Graph(CONFIG, ROOT)
    recipe = next(recipe for recipe in shipped.recipes_by_key.values() if recipe.public)
    file = recipe.public["name"], recipe.public["file"]
    assert inputs.public_weights(recipe) == [paths.public_weights(*file)]
    placed = root / paths.own_weights(*file)
    placed.parent.mkdir(parents=True)
    placed.touch()
    assert inputs.public_weights(recipe) == [paths.own_weights(*file)]


def test_a_rule_makes_only_what_is_not_there_or_was_made_by_it(root: Path, capsys: pytest.CaptureFixture) -> None:
    path = root / "downloads" / "fan"
    assert inputs.protect_users_files(str(path), "mine/fan") == []
    (path / "train").mkdir(parents=True)
    (path / "train" / "a.wav").touch()
    (blocked,) = inputs.protect_users_files(str(path), "mine/fan")
    assert "a.wav was added or changed by hand, so no rule makes" in blocked
    assert not Path(blocked).exists()
    inputs.protect_users_files(str(path), "mine/fan")
    assert capsys.readouterr().err.count("a.wav was added or changed by hand: used as it is and never made again") == 1
    record(path)
    assert inputs.protect_users_files(str(path), "mine/fan") == []


def test_names_that_a_user_has_added_are_printed_escaped(root: Path, capsys: pytest.CaptureFixture) -> None:
    path = root / "downloads" / "pump"
    path.mkdir(parents=True)
    (path / "a\x1b[31m\n.wav").touch()
    assert len(inputs.protect_users_files(str(path), "mine/pump")) == 1
    printed = capsys.readouterr().err
    assert r"a\x1b[31m\n.wav was added" in printed
    assert "\x1b" not in printed


def test_ground_truth_is_part_of_a_download_only_on_request(root: Path) -> None:
    without, with_truth = (graph(root, data="dcase2025_eval", ground_truth=asked) for asked in (False, True))
    assert settings.download(without, "dcase2025_eval")["ground_truth"] is None
    assert settings.download(with_truth, "dcase2025_eval")["ground_truth"]["form"] == "rename_list"


def test_settings_survive_the_job_s_file(root: Path) -> None:
    """A rule writes them as JSON (`as_json`), and a step reads them."""
    toy = graph(root, data=["toy", "dcase2025_eval"], ground_truth=True, seeds=[1, 2])
    every = [recipe.settings for recipe in toy.recipes_by_key.values()]
    every += [settings.score(toy, variant, "toy", "00") for variant in toy.variants.values()]
    every += [settings.prepare(toy, "toy", "fan"), settings.download(toy, "dcase2025_eval")]
    every += [settings.tabulate(toy, "toy")]
    for one in every:
        assert json.loads(as_json(one)) == one


def test_settings_are_those_that_the_steps_declare() -> None:
    """What a rule passes as `settings` has exactly the keys and types of the dataclass in its step."""
    real = Graph({**CONFIG, "data": ["demo", "dcase2025_dev"]}, ROOT)
    typed(PrepareSettings, settings.prepare(real, "demo", "fan"))
    typed(ScoreSettings, settings.score(real, real.variant("system3", "1", ""), "demo", "00"))
    typed(TableSettings, settings.tabulate(real, "system4"))
    typed(Network, real.config["download"])
    for block in real.config["checkpoints"].values():
        typed(PublishedFile, block)
    for system in real.recipes.systems:
        typed(IllustrateSettings, report_inputs.illustrate_settings(real, system, "demo"))
    typed(ReportSettings, report_inputs.report_settings(real))


def test_code_is_that_of_the_step_and_of_the_recipe_s_class() -> None:
    real = Graph({**CONFIG, "data": "demo"}, ROOT)
    steps = ("prepare", "extract_features", "train_model", "score", "tabulate")
    codes = {stage_code.of_step(step) for step in steps}
    assert len(codes) == 5
    assert stage_code.of_score(real.variant("baseline", "mse", "")) not in codes
    frontend = real.recipe("frontends", key(real, "frontends", "logmel_128"))
    assert stage_code.of_recipe("extract_features", frontend) not in codes


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"systems": ["system9"]}, "config: systems: there is no config/systems/system9.yaml: use: toy"),
        ({"data": "nowhere"}, "config: data: 'nowhere' is neither a folder nor a declared dataset"),
        ({"data": ["toy", "./toy"]}, "config: data: two datasets are named toy"),
        ({"prepare": {**CONFIG["prepare"], "second": 1}}, "config: prepare.second: unknown key"),
        ({"prepare": {**CONFIG["prepare"], "seconds": "ten"}}, "config: prepare.seconds: "),
        ({"seeds": []}, "config: seeds: "),
        ({"device": "gpu"}, "config: device: "),
        ({"override": {"models": {"ghost": {"a": 1}}}}, "config: override.models.ghost: no system file defines"),
    ],
)
def test_a_wrong_config(root: Path, changes: dict, message: str) -> None:
    with pytest.raises(AsdError) as refusal:
        graph(root, **changes)
    assert str(refusal.value).startswith(message)
    assert "\n" not in str(refusal.value)


def test_what_a_path_may_not_name(root: Path) -> None:
    toy = graph(root)
    with pytest.raises(AsdError, match=r"^models: toy_joint-000000: no recipe of the config has this key"):
        toy.recipe("models", "toy_joint-000000")
    with pytest.raises(AsdError, match=r"variants\.third: there is no such variant: use one of: both, joint"):
        toy.variant("toy", "third", "")
    with pytest.raises(AsdError, match=r"^config: datasets\.toy: there is no machine valve: use one of: fan, pump"):
        inputs.fetched_recordings(toy, "toy", "valve")


def test_a_file_of_weights_is_that_of_its_block(root: Path) -> None:
    real = Graph(CONFIG, ROOT)
    block = real.config["checkpoints"]["beats_iter3"]
    assert settings.checkpoint(real, "beats_iter3", "BEATs_iter3.pt") == block
    with pytest.raises(
        AsdError, match=r"^resources/downloads/checkpoints/beats_iter3/model\.safetensors: is not the file of beats"
    ):
        settings.checkpoint(real, "beats_iter3", "model.safetensors")


def test_a_run_says_which_table_of_labels_is_not_read(root: Path, capsys: pytest.CaptureFixture) -> None:
    for name in ("a", "b"):
        (root / "flat/drill/normal").mkdir(parents=True, exist_ok=True)
        (root / f"flat/drill/normal/{name}.wav").touch()
    (root / "flat/drill/ground_truth.csv").touch()
    graph(root, data="flat").say_how_data_is_understood()
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "ground_truth" in line] == [lines[-1]]
    assert lines[-1].startswith("Warning: flat/drill/ground_truth.csv: is not read in this layout (flat): ")
