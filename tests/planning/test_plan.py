"""`asdlib plan`: the jobs of a dry run, the numbers of clips, and the estimates made from both."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from helpers.audio_tables import audio_table
from helpers.checkout import add_toy_machines, make_checkout
from helpers.toy_recordings import make_machine, sound, write_wav

from asdlib.cli import main
from asdlib.commands.plan import known_systems, text
from asdlib.errors import AsdError
from asdlib.planning.clip_counts import ClipCounts
from asdlib.planning.costs import Costs
from asdlib.planning.dry_run import DryRun, Job, complaint, dry_run, needed_for
from asdlib.planning.dry_run import read as read_jobs
from asdlib.planning.hours import Hours
from asdlib.planning.rows import HOURS, SUPPLEMENTS, Plan, Row, plan
from asdlib.planning.sizes import Sizes
from asdlib.workflow.config import read_config
from asdlib.workflow.graph import Graph
from asdlib.workflow.paths import COSTS, parse_features
from asdlib.workflow.recipes import REGISTRIES
from asdlib.workflow.yaml_files import read_yaml

ROOT = Path(__file__).resolve().parents[2]
# From the RMIS benchmark's README; that of 2026 is the sum of the lengths of its clips.
HOURS_OF_AUDIO = {2020: 153, 2021: 165, 2022: 139, 2023: 50, 2024: 49, 2025: 45, 2026: 42}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def graph(monkeypatch: pytest.MonkeyPatch, *entries: str, files: tuple[Path, ...] = ()) -> Graph:
    """Build the graph of the workflow's config, in the same way as the command."""
    with monkeypatch.context() as elsewhere:
        elsewhere.chdir(ROOT)
        config = read_config(list(files), list(entries))
    return Graph(config, ROOT)


def configfile(folder: Path, **content) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def job(rule: str, *inputs: str, gpus: int = 0, **wildcards: str) -> Job:
    return Job(rule, inputs, (), wildcards, gpus)


def key(graph: Graph, registry: str, name: str) -> str:
    return graph.recipes.resolve(registry, name, 13711).key


def hours(graph: Graph, counts: ClipCounts | None = None) -> Hours:
    return Hours(graph, counts or ClipCounts(graph, ()), Costs(ROOT / COSTS, graph.config["override"]))


def sizes(graph: Graph) -> Sizes:
    return Sizes(graph, ClipCounts(graph, ()), Costs(ROOT / COSTS, graph.config["override"]))


# --- the dry run ----------------------------------------------------------------------------------------------------


def test_a_target_needs_its_own_jobs_and_those_it_shares():
    shared = Job("prepare", ("outside",), ("clips",), {}, 0)
    one, other = Job("score", ("clips",), ("one",), {}, 0), Job("score", ("clips",), ("other",), {}, 0)
    assert needed_for("one", [shared, one, other]) == [shared, one]
    assert needed_for("other", [shared, one, other]) == [shared, other]
    assert needed_for("done", [shared, one, other]) == []


def test_snakemakes_complaint_is_one_line():
    printed = 'Building DAG of jobs...\nWorkflowError in file "x.smk", line 22:\nconfig: data: is wrong:\n   mend it\n'
    assert complaint(printed) == 'WorkflowError in file "x.smk", line 22: config: data: is wrong: mend it'
    assert complaint("Building DAG of jobs...\nerror: a: is wrong: mend it\n") == "a: is wrong: mend it"
    located = 'NameError in file "x.smk", line 2:\nname y is not defined\n  File "x.smk", line 2, in <module>\n'
    assert complaint(located) == 'NameError in file "x.smk", line 2: name y is not defined'
    assert complaint("killed\n") == "killed", "what has no name of an error is told as it is"
    assert complaint("error: " + "many words " * 100).endswith(" many words …")
    assert complaint("") == "stopped without a message"


# --- counting clips -------------------------------------------------------------------------------------------------


def test_declared_datasets_are_counted_by_their_declaration(here, monkeypatch):
    files = (configfile(here, data=["dcase2025_dev", "dcase2022_eval"]),)
    counts = ClipCounts(graph(monkeypatch, files=files), ())
    assert counts.of("raw", "dcase2025_dev", "fan") == {"train": 1000, "test": 200, "clean": 100}
    assert counts.of("raw", "dcase2022_eval", "fan") == {"train": 3000, "test": 600, "clean": 0}  # three sections
    assert counts.summary == "2 machines of dcase2022_eval, dcase2025_dev as declared"
    assert counts.guessed


@pytest.mark.parametrize("year", HOURS_OF_AUDIO)
def test_the_declared_counts_fill_the_hours_of_their_year(year):
    blocks = read_yaml(ROOT / "config" / "datasets.yaml")["datasets"].values()
    clips = 0
    for block in (block for block in blocks if block.get("year") == year):
        listed = block["sections"]
        sections = [listed[machine] if isinstance(listed, dict) else listed for machine in block["machines"]]
        clips += sum(map(len, sections)) * sum(block["clips"].values())
    assert clips * 10 / 3600 == pytest.approx(HOURS_OF_AUDIO[year], rel=0.25)  # clips of 2025 last 6 to 10 s


def test_a_source_that_makes_recordings_says_how_many(here, monkeypatch):
    counts = ClipCounts(graph(monkeypatch, "data=demo"), ())
    assert counts.of("raw", "demo", "ToyCar") == {"train": 101, "test": 40, "clean": 10}
    assert counts.of("raw", "demo", "fan") == {"train": 101, "test": 40, "noise": 10}
    assert counts.summary == "2 machines of demo as their source makes them"
    assert not counts.guessed


def test_what_nobody_declared_is_assumed_and_said(here, monkeypatch):
    block = {"source": {"kind": "zenodo", "archives": []}, "machines": ["fan"], "sections": ["00", "01"]}
    counts = ClipCounts(graph(monkeypatch, files=(configfile(here, data="mine", datasets={"mine": block}),)), ())
    assert counts.of("raw", "mine", "fan") == {"train": 2000, "test": 400, "clean": 200}
    assert counts.summary == "1 machine of mine assumed to be as many as in 2025"


def test_recordings_in_a_folder_are_counted(here, monkeypatch):
    make_machine(here / "mine" / "fan", train=3, target=1, test=2, seconds=0.1, sections=("00", "01"))
    clip = min((here / "mine" / "fan" / "test").glob("section_01_*"))
    clip.rename(clip.with_suffix(".WAV"))
    clip.with_suffix(".txt").touch()
    chosen = {"folder": str(here / "mine"), "sections": ["01"]}
    counts = ClipCounts(graph(monkeypatch, files=(configfile(here, data="own", datasets={"own": chosen}),)), ())
    assert counts.of("raw", "own", "fan") == {"train": 4, "test": 8, "noise": 2}
    assert counts.summary == "1 machine of own counted in folders"


@pytest.mark.parametrize("thorough", [True, False])
@pytest.mark.parametrize("layout", ["challenge", "table"])
def test_a_long_recording_counts_as_the_clips_that_prepare_makes_of_it(here, monkeypatch, layout, thorough):
    """The headers tell, also at another rate; run times that a scheduler is asked for rest on them too."""
    folder = make_machine(here / "mine" / "fan", train=3, target=1, test=2, seconds=0.1)
    train, test = (sorted((folder / split).iterdir()) for split in ("train", "test"))
    lengths = {train[0]: (1.0, 16000), train[1]: (2.6, 16000), train[2]: (2.05, 16000), test[0]: (2.5, 8000)}
    for path, (seconds, rate) in lengths.items():
        write_wav(path, sound(np.random.default_rng(0), seconds * rate / 16000), rate)
    (folder / "test" / "section_00_source_test_normal_9999.wav").write_bytes(b"RIFF")  # `prepare` says what is wrong
    block: dict = {"folder": str(here / "mine")}
    if layout == "table":
        rows = [f"{path},fan,{path.parent.name}" for path in [*train, *sorted((folder / "test").iterdir())]]
        (here / "clips.csv").write_text("\n".join(["file,machine,split", *rows]))
        block = {"folder": str(here / "clips.csv")}
    content = {"data": "own", "datasets": {"own": block}}
    for longer, extra in (("split", {"train": 3, "test": 2}), ("cut", {"train": 0, "test": 0})):
        prepare = {"seconds": 1.0, "resample": True, "longer": longer}
        files = (configfile(here, **content, prepare=prepare),)
        counts = ClipCounts(graph(monkeypatch, files=files), (), thorough).of("raw", "own", "fan")
        plain = {"train": len(train), "test": len(test) + 1}
        assert {kind: counts[kind] - plain[kind] for kind in plain} == extra


def test_a_table_is_counted_unless_it_will_be_made_anew(here, monkeypatch):
    path = Path("results/audio/raw/dcase2025_dev/fan.parquet")
    path.parent.mkdir(parents=True)
    silence = np.zeros(10, np.int16)
    audio_table(path, {"train": [silence] * 3, "test": [silence], "noise": [silence] * 2})
    plain = graph(monkeypatch)
    assert ClipCounts(plain, ()).of("raw", "dcase2025_dev", "fan") == {"train": 3, "test": 1, "noise": 2}
    assert ClipCounts(plain, {str(path)}).of("raw", "dcase2025_dev", "fan")["train"] == 1000


def test_augmentations_make_as_many_clips_as_their_recipes_say(here, monkeypatch):
    plain = graph(monkeypatch)
    counts = ClipCounts(plain, ())
    made = {
        name: counts.of(f"augmented/{key(plain, 'augmentations', name)}", "dcase2025_dev", "fan")
        for name in ("remix_10k", "noise_everywhere", "separated_conv_tasnet")
    }
    assert made == {
        "remix_10k": {"train": 1429},
        "noise_everywhere": {"train": 1000},
        "separated_conv_tasnet": {"train": 1000},
    }


# --- sizes ----------------------------------------------------------------------------------------------------------


def test_sizes_follow_clips_shapes_and_types(here, monkeypatch):
    plain = graph(monkeypatch)
    fan = {"dataset": "dcase2025_dev", "machine": "fan"}
    assert sizes(plain).of(job("download", **fan)) == 2 * 1300 * 320_000  # the archive is kept
    assert sizes(plain).of(job("prepare", **fan)) == 1300 * 160_000
    logmel, fbank = (key(plain, "frontends", name) for name in ("logmel_128", "fbank_eat"))
    for part, clips in (("", 1200), ("/train", 1000)):  # supplements have none
        features = job("extract_features", frontend=logmel, view="raw", part=part, **fan)
        assert sizes(plain).of(features) == clips * 313 * 128 * 4
    mixed = f"augmented/{key(plain, 'augmentations', 'remix_10k')}"
    assert sizes(plain).of(job("extract_features", frontend=fbank, view=mixed, part="", **fan)) == 1429 * 1024 * 128 * 2
    model = key(plain, "models", "dense_ae")
    assert sizes(plain).of(job("embed", model=model, view="raw", **fan)) == 1200 * 3 * 4
    assert sizes(plain).of(job("tabulate", system="baseline")) == 0
    grid = key(plain, "separators", "tfgridnet")
    assert sizes(plain).of(job("separate", separator=grid, **fan)) == 1300 * 160_000
    without_clean = {"dataset": "dcase2020_dev", "machine": "fan"}
    assert sizes(plain).of(job("separate", separator=grid, **without_clean)) == 0  # the recordings are not copied


def test_sizes_of_downloads_with_two_microphones_of_weights_and_of_noise(here, monkeypatch):
    plain = graph(monkeypatch, "data=dcase2026_dev")
    both = {"dataset": "dcase2026_dev", "machine": "fan"}
    assert sizes(plain).of(job("download", **both)) == 2 * 2 * 1200 * 320_000  # the archive is kept
    for rule in ("prepare", "prepare_far"):
        assert sizes(plain).of(job(rule, **both)) == 1200 * 160_000
    assert sizes(plain).of(job("fetch_checkpoint", checkpoint="eat_base")) == 0.361e9
    assert sizes(plain).of(job("fetch_checkpoint", checkpoint="one of unknown size")) == 0
    model = key(plain, "models", "dense_ae")
    assert sizes(plain).of(job("train_model", model=model, **both)) == 1e6
    subtracted = key(plain, "separators", "far_subtraction")
    assert sizes(plain).of(job("separate", separator=subtracted, **both)) == 1200 * 160_000 * 4
    pool = here / "pool"
    for number in range(3):
        write_wav(pool / f"{number}.wav", sound(np.random.default_rng(0), 1.0))
    found = sizes(graph(monkeypatch, f"noise_pool={pool}")).of(job("prepare_noise", dataset="dcase2025_dev"))
    assert found == sum(path.stat().st_size for path in pool.iterdir()) / 2


def test_a_joint_training_takes_its_features_once_more(here, monkeypatch):
    plain = graph(monkeypatch)
    frontend, model = key(plain, "frontends", "dual_spectra"), key(plain, "models", "dual_branch_cnn")
    read = [f"results/features/{frontend}/raw/dcase2025_dev/{machine}.parquet" for machine in ("fan", "valve")]
    joint = job("train_model", *read, model=model, dataset="dcase2025_dev", machine="all")
    assert sizes(plain).scratch(joint) == 2 * 1000 * 399_543 * 2
    own = job("train_model", *read[:1], model=key(plain, "models", "dense_ae"), dataset="dcase2025_dev", machine="fan")
    assert sizes(plain).scratch(own) == 0


# --- hours ----------------------------------------------------------------------------------------------------------


def training(graph: Graph, name: str, machine: str = "fan") -> Job:
    view = "results/features/logmel-123456/raw/dcase2025_dev/fan.parquet"
    wildcards = {"model": key(graph, "models", name), "dataset": "dcase2025_dev", "machine": machine}
    return job("train_model", view, "resources/checkpoints/x/y.pt", gpus=1, **wildcards)


def test_trainings_are_scaled_by_clips_and_epochs_or_steps(here, monkeypatch):
    plain = graph(monkeypatch)
    baseline = hours(plain).of(training(plain, "dense_ae"))
    assert baseline.cpu == pytest.approx(2.8 + 0.0098 * 1000 * 100)
    assert baseline.gpu == pytest.approx(2.8 + 0.439 / (51_000 * 0.0052) * 1000 * 100)
    assert hours(plain).of(training(plain, "eat_2025", "all")).cpu == pytest.approx(2.8 + 12 * 160_000)
    short = graph(
        monkeypatch, files=(configfile(here, override={"models": {"dense_ae": {"training": {"epochs": 5}}}}),)
    )
    assert hours(short).of(training(short, "dense_ae")).cpu == pytest.approx(2.8 + 0.0098 * 1000 * 5)
    older = graph(monkeypatch, "data=dcase2022_eval")  # three sections of 1,000 training clips each
    wildcards = {"model": key(older, "models", "dense_ae"), "dataset": "dcase2022_eval", "machine": "fan@04"}
    view = "results/features/logmel-123456/raw/dcase2022_eval/fan.parquet"
    section = hours(older).of(job("train_model", view, gpus=1, **wildcards))
    assert section.cpu == pytest.approx(2.8 + 0.0098 * 1000 * 100)


def test_steps_count_examples_which_are_not_clips(here, monkeypatch):
    """A step of dense_ae takes 256 vectors of frames, of which a clip of 10 s has 309; one of DisMAE takes 96 clips."""
    steps = {"training": {"epochs": 10, "steps_per_epoch": 120}}
    own = configfile(here, override={"models": {"dense_ae": steps, "dismae_base": steps, "eat_2025": steps}})
    few = graph(monkeypatch, files=(own,))
    assert hours(few).of(training(few, "dense_ae")).cpu == pytest.approx(2.8 + 0.0098 * 10 * 120 * 256 / 309)
    rounds = hours(few).of(training(few, "dismae_base", "all")).cpu
    assert rounds == pytest.approx(2.8 + 3.44 * 10 * 120 * 96, rel=0.01)
    whole = hours(few).of(training(few, "eat_2025", "all")).cpu
    assert whole == pytest.approx(2.8 + 12 * 10 * 120 * 16)
    own = configfile(here, prepare={"seconds": 5.0}, override={"models": {"dense_ae": steps}})
    short = graph(monkeypatch, files=(own,))  # as many vectors
    assert hours(short).of(training(short, "dense_ae")).cpu == hours(few).of(training(few, "dense_ae")).cpu


def test_a_separator_without_clean_sound_takes_no_time(here, monkeypatch):
    plain = graph(monkeypatch, "data=[demo,dcase2025_dev]")
    separator = key(plain, "separators", "conv_tasnet")
    train = {
        name: hours(plain).of(job("train_separator", separator=separator, dataset=name, machine="fan"))
        for name in ("demo", "dcase2025_dev")
    }
    assert train["demo"].cpu == 2.8  # supplements with noise only: no training
    assert train["dcase2025_dev"].cpu == pytest.approx(2.8 + 1.7 * 4 * 1000 * 100)
    assert train["demo"].gpu == 0  # the job requests no GPU
    separate = {
        name: hours(plain).of(job("separate", separator=separator, dataset=name, machine="fan"))
        for name in ("demo", "dcase2025_dev")
    }
    assert separate["demo"].cpu == 2.0  # nor a separation
    assert separate["dcase2025_dev"].cpu == pytest.approx(2.0 + 6.3 * 1300)


def test_half_as_long_clips_take_half_the_time(here, monkeypatch):
    plain = graph(monkeypatch, files=(configfile(here, prepare={"seconds": 5.0}),))
    fan = {"dataset": "dcase2025_dev", "machine": "fan"}
    assert hours(plain).of(job("prepare", **fan)).cpu == pytest.approx(0.1 + 0.0022 * 1300 / 2)
    assert sizes(plain).of(job("prepare", **fan)) == 1300 * 80_000
    assert hours(plain).of(training(plain, "dense_ae")).cpu == pytest.approx(2.8 + 0.0098 * 1000 * 100 / 2)


def test_another_network_has_no_known_cost(here, monkeypatch):
    change = {"models": {"dense_ae": {"hidden": 8}}}
    small = graph(monkeypatch, files=(configfile(here, override=change),))
    time = hours(small).of(training(small, "dense_ae"))
    assert (time.cpu, time.gpu, time.unknown) == (2.8, 2.8, "models.dense_ae")
    embed = job("embed", model=key(small, "models", "dense_ae"), view="raw", dataset="dcase2025_dev", machine="fan")
    assert [sizes(small).of(one) for one in (training(small, "dense_ae"), embed)] == [0, 0]


def test_what_a_feature_file_holds():
    assert parse_features("results/features/f-1/augmented/a-1/demo/fan.parquet") == ("augmented/a-1", "demo", "fan")
    for view in ("raw", "separated/s-1"):
        assert parse_features(f"results/features/f-1/{view}/train/demo/fan.parquet") == (view, "demo", "fan")
    assert parse_features("results/models/m-1/demo/all/model.safetensors") is None


# --- the costs ------------------------------------------------------------------------------------------------------

KEYS = {
    "separators": {"train", "clip", "gflop", "share", "peak", "weights"},
    "augmentations": {"clip"},
    "frontends": {"clip", "values"},
    "models": {"train", "clip", "gflop", "share", "peak", "weights", "values"},
}
GPU = {"gflop", "share", "peak"}


def test_costs_are_those_of_recipes_and_rules_that_exist():
    costs = read_yaml(ROOT / COSTS)
    files = [*(ROOT / "config" / "systems").glob("*.yaml"), ROOT / "config" / "shared.yaml"]
    systems = [read_yaml(path) for path in files]
    for registry in set(REGISTRIES) - {"backends", "labellers"}:
        assert set(costs["recipes"][registry]) <= {name for system in systems for name in system.get(registry, {})}
        for name, cost in costs["recipes"][registry].items():
            trained = any("training" in s.get(registry, {}).get(name, {}) for s in systems)
            frozen = not trained and {"models": {"clip", "values"}, "separators": {"clip"}}.get(registry)
            on_gpu = GPU if "peak" in cost else set()
            assert set(cost) - {"examples"} == (frozen | on_gpu if frozen else KEYS[registry]), name
    checkpoints = read_yaml(ROOT / "config" / "checkpoints.yaml")["checkpoints"]
    assert set(costs["checkpoints"]) == set(checkpoints)
    rules = re.findall(r"^rule (\w+):", "".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk")), re.M)
    assert set(costs["start"]) == set(rules)


def test_the_features_of_recipes_are_counted(monkeypatch):
    plain = graph(monkeypatch)
    for name in read_yaml(ROOT / COSTS)["recipes"]["frontends"]:
        recipe = plain.recipe("frontends", key(plain, "frontends", name))
        counted = sizes(plain)._costs.of(recipe)["values"]
        assert sizes(plain)._computed(recipe) == counted, name


def test_a_plan_of_unchanged_recipes_imports_neither_torch_nor_pandas():
    """They would take longer than everything else that the command does itself."""
    program = (
        "import sys; from pathlib import Path; from asdlib.planning import dry_run, rows\n"
        "from asdlib.workflow.config import read_config; from asdlib.workflow.graph import Graph\n"
        "graph = Graph(read_config([], []), Path())\n"
        "fan = {'dataset': 'dcase2025_dev', 'machine': 'fan', 'view': 'raw', 'part': ''}\n"
        "wildcards = [{'frontend': key, **fan} for key in graph.keys('frontends')]\n"
        "jobs = [dry_run.Job('extract_features', (), (), one, 0) for one in wildcards]\n"
        "assert rows.plan(graph, [], jobs).rows[0].disk_gb > 0\n"
        "print({'torch', 'pandas'} & sys.modules.keys())"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_cost_is_known_as_long_as_the_network_is_the_measured_one(monkeypatch):
    recipe = graph(monkeypatch).recipe("models", key(graph(monkeypatch), "models", "dense_ae"))
    for change, known in (("views", True), ("training", True), ("hidden", False)):
        costs = Costs(ROOT / COSTS, {"models": {"dense_ae": {change: None}}})
        assert (costs.of(recipe) is not None) == known, change


def test_every_cost_says_where_it_comes_from():
    sources = []
    for line in (ROOT / COSTS).read_text().splitlines():
        value, _, source = line.partition(" # ")
        if line.startswith("#") or not re.search(r": [*\d\[]|: &\w+ \d", value):
            continue
        assert re.search(r"^ours: |docs/\w+\.md", source), line
        sources.append(source)
        for page, section in re.findall(r"(docs/\w+\.md), ([^:;]+)", source):
            assert re.search(rf"^## {re.escape(section.strip())}", (ROOT / page).read_text(), re.M), line
    assert len(sources) > 50


# --- the command ----------------------------------------------------------------------------------------------------


def test_wrong_calls_are_one_line(here, monkeypatch, capsys):
    assert main(["plan"]) == 2
    assert "has no Snakefile: change to the workflow's folder" in capsys.readouterr().err
    monkeypatch.chdir(ROOT)
    assert main(["plan", "system9"]) == 2
    assert "system9: there is no config/systems/system9.yaml: choose one of: baseline, " in capsys.readouterr().err
    assert main(["plan", "--config", "data=demo", "system3"]) == 2
    assert "--config: system3: is not key=value: put it before" in capsys.readouterr().err
    assert main(["plan", "--config", "data=nowhere"]) == 2
    assert "config: data: 'nowhere' is neither a folder nor a declared dataset" in capsys.readouterr().err


def test_a_list_of_jobs_that_a_full_disk_has_cut_is_one_line(tmp_path: Path):
    path = tmp_path / "jobs.json"
    path.write_text('[["prepare", ["in')
    with pytest.raises(AsdError, match=r"jobs\.json: the list of jobs is cut off: make room on this disk"):
        read_jobs(path)


def test_a_system_that_is_asked_for_twice_is_planned_once():
    assert known_systems(["b", "a", "b"], ["a", "b", "c"]) == ["b", "a"]


def test_the_table_rounds_its_figures_and_marks_hours_that_do_not_include_everything():
    rows = [Row("a", 1356, 7, 8.64, 1.0, 1522.6, None, []), Row("all", 1, 0, 10.0, 0.0, 9.94, 0.04, ["models.x"])]
    first, last, blank, *lines = text(Plan(rows, ["many words " * 20, "The end."])).splitlines()[1:]
    assert first.split() == ["a", "1356", "7", "8.6", "1,523", "–"]
    assert last.split() == ["all", "1", "0", "10", "9.9+", "0.0+"]
    assert blank == ""
    assert lines[-1] == "The end."
    assert all(len(line) <= 100 for line in lines)


def test_an_error_of_snakemake_is_one_line(here):
    """Also if it follows bytes that are no text."""
    unreadable = 'import os\nos.write(2, b"\\xff\\n")\n'
    (here / "Snakefile").write_text(f'{unreadable}raise WorkflowError("the shelf is empty:\\n  fill it")\n')
    with pytest.raises(AsdError, match=r"^snakemake: WorkflowError in file .*: the shelf is empty: fill it$"):
        dry_run(["x"], [], [])


def test_a_dry_run_that_is_ended_leaves_no_file_behind(here, monkeypatch):
    """A config that the command refuses ends it."""
    temporary = here / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)  # what it was before
    (here / "Snakefile").write_text("import time\nopen('read', 'w').close()\ntime.sleep(600)\n")
    deadline = time.monotonic() + 120
    started = DryRun(["x"], [], [])  # kept, because its folder goes with it
    with started:
        while not (here / "read").exists():
            assert time.monotonic() < deadline, "Snakemake did not read the Snakefile"
            time.sleep(0.05)
        assert list(temporary.rglob("snakemake*"))
    assert not list(temporary.iterdir())


def test_a_row_a_system_and_one_for_all(here, monkeypatch):
    plain = graph(monkeypatch)
    prepare = Job("prepare", (), ("clips",), {"dataset": "dcase2025_dev", "machine": "fan"}, 0)
    jobs = [prepare] + [
        Job("tabulate", ("clips",), (f"results/{name}/scores.csv",), {"system": name}, 0)
        for name in ("system3", "system5")
    ]
    rows = plan(plain, ["system3", "system5"], jobs).rows
    assert [(row.system, row.jobs, row.trainings) for row in rows] == [
        ("system3", 2, 0),
        ("system5", 2, 0),
        ("all", 3, 0),
    ]
    assert rows[0].disk_gb == rows[2].disk_gb == pytest.approx(0.208)
    assert rows[2].gpu_hours is None
    nothing = plan(plain, ["system3"], [])
    assert [row.jobs for row in nothing.rows] == [0, 0]
    assert nothing.rests_on == []


def test_a_row_sums_its_jobs_and_the_plan_says_what_it_rests_on(here, monkeypatch):
    plain = graph(monkeypatch)
    fan = {"dataset": "dcase2025_dev", "machine": "fan"}
    frontend, network = key(plain, "frontends", "dual_spectra"), key(plain, "models", "dual_branch_cnn")
    read = [f"results/features/{frontend}/raw/dcase2025_dev/{machine}.parquet" for machine in ("fan", "valve")]
    joint = job("train_model", *read, gpus=1, model=network, dataset="dcase2025_dev", machine="all")
    separator = job("train_separator", separator=key(plain, "separators", "conv_tasnet"), **fan)
    jobs = [joint, separator, job("prepare", **fan)]
    result = plan(plain, [], jobs)
    (row,) = result.rows
    times = [hours(plain).of(one) for one in jobs]
    assert (row.jobs, row.trainings, row.unknown) == (3, 2, [])
    assert row.cpu_hours == pytest.approx(sum(time.cpu for time in times) / 3600)
    assert row.gpu_hours == pytest.approx(times[0].gpu / 3600)
    assert row.scratch_gb == pytest.approx(2 * 1000 * 399_543 * 2 / 1e9)
    clips, gigabytes = "Clips of 10 s: 2 machines of dcase2025_dev as declared.", "up to 1.6 GB more while it runs."
    assert result.rests_on == [clips, SUPPLEMENTS, f"A joint training needs {gigabytes}", HOURS]
    assert plan(plain, [], jobs[2:]).rests_on == [clips.replace("2 machines", "1 machine"), HOURS], "no separator"
    change = {"models": {"dense_ae": {"hidden": 8}}}
    small = graph(monkeypatch, files=(configfile(here, override=change),))
    rests_on = plan(small, ["system3", "system5"], [training(small, "dense_ae")]).rests_on
    assert rests_on == [HOURS, "+ not including models.dense_ae, whose cost is unknown."], "no clips were counted"


@pytest.mark.workflow
def test_the_jobs_are_those_that_would_run(tmp_path):
    toy = make_checkout(tmp_path / "toy")
    add_toy_machines(toy, "fan", "pump")
    first = asked(toy.folder, "baseline", "--json", "--configfile", "settings.yaml")
    (row, everything), rests_on = json.loads(first)["rows"], json.loads(first)["rests_on"]
    assert row["system"] == "baseline"
    assert {**row, "system": "all"} == everything
    rules = Counter(name.split()[0] for name in toy.jobs("results/baseline/scores.csv"))
    assert (row["jobs"], row["trainings"]) == (rules.total(), rules["train_model"])
    assert row["gpu_hours"] is None  # device: cpu
    assert row["unknown"] == ["models.dense_ae"]  # the settings have another size
    assert rests_on[0] == "Clips of 1 s: 2 machines of toy counted in folders."
    toy.run("results/audio/raw/toy/fan.parquet")
    printed = asked(toy.folder, "baseline", "--configfile", "settings.yaml", "--config", "seeds=[1,2]").splitlines()
    assert printed[0].split() == ["system", "jobs", "trainings", "disk", "GB", "CPU", "h", "GPU", "h"]
    name, jobs, trainings, *_ = printed[1].split()
    assert (name, int(jobs), int(trainings)) == ("baseline", 1 + 2 + 4 + 4 + 8 + 1, 4)
    assert "Clips of 1 s: 1 machine of toy counted in folders; 1 machine of toy counted in tables." in printed


def asked(folder: Path, *arguments: str) -> str:
    """Return what `asdlib plan` prints in a folder."""
    command = [sys.executable, "-m", "asdlib.cli", "plan", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folder / "src")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True).stdout
