"""Re-runs: after each change, a dry run lists exactly the jobs that it affects.

The toy system (toy_system/toy.yaml) has every kind of recipe, a joint model and a model that starts from it. Every
change is made in a copy of a finished run at another path, which also tests that a run can be moved.
"""

import ast
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.checkout import Checkout
from helpers.toy_recordings import make_machine

pytestmark = pytest.mark.workflow

TABLES = "results/toy/scores.csv"
TOY = "config/systems/toy.yaml"
CLIP = "recordings/fan/train/section_00_source_train_normal_0001_spd_1_mic_source.wav"


def jobs(*lines: str, machines: tuple[str, ...] = ("fan", "pump")) -> set[str]:
    """Return the jobs of these lines, where `*` stands for each machine."""
    return {line.replace("*", machine) for line in lines for machine in machines}


SCORES = jobs("score toy * 00 toy joint", "score toy * 00 toy both", "tabulate toy")
TUNED = jobs("train_model toy * toy_tuned", "embed toy * toy_tuned separated/toy_gain")
JOINT = jobs("train_model toy all toy_joint", "embed toy * toy_joint raw")
RAW_FEATURES = "extract_features toy toy_levels * raw"
OTHER_FEATURES = (
    "extract_features toy toy_levels * separated/toy_gain",
    "extract_features toy toy_levels * augmented/toy_mix",
)
SEPARATION = ("train_separator toy * toy_gain", "separate toy * toy_gain", "augment toy_mix toy *")
BELOW_SEPARATOR = jobs(*SEPARATION, *OTHER_FEATURES) | JOINT | TUNED | SCORES
BELOW_FEATURES = jobs(RAW_FEATURES, *OTHER_FEATURES) | JOINT | TUNED | SCORES
EVERYTHING = jobs("prepare toy *", *SEPARATION) | BELOW_FEATURES
# A machine's recordings affect the other machine through the joint model and the noise that separators mix.
ONE_MACHINE = ("prepare toy *", *SEPARATION, RAW_FEATURES, *OTHER_FEATURES)
FAN = jobs(*ONE_MACHINE, machines=("fan",)) | BELOW_SEPARATOR
NEW_MACHINE = (
    jobs(*ONE_MACHINE, "embed toy * toy_joint raw", "train_model toy * toy_tuned", machines=("valve",))
    | jobs("embed toy * toy_tuned separated/toy_gain", "score toy * 00 toy joint", machines=("valve",))
    | jobs("score toy * 00 toy both", machines=("valve",))
)
Change = Callable[[Checkout], None]


def setting(old: str, new: str, path: str = TOY) -> Change:
    """Change one value of a YAML or CSV file."""
    return lambda checkout: checkout.edit(path, old, new)


def body(path: str, function: str) -> Change:
    """Change the syntax tree of a function."""

    def change(checkout: Checkout) -> None:
        file = checkout.folder / "src" / "asdlib" / path
        lines = file.read_text().splitlines()
        found = [node for node in ast.walk(ast.parse(file.read_text()))
                 if isinstance(node, ast.FunctionDef) and node.name == function]  # fmt: skip
        last = found[0].body[-1]
        lines.insert(last.lineno - 1, f"{' ' * last.col_offset}pass")
        file.write_text("\n".join(lines) + "\n")

    return change


def sources(checkout: Checkout) -> Iterator[Path]:
    """Yield every file that `git checkout` could rewrite."""
    for name in ("Snakefile", "workflow", "config", "src", "profiles", "resources/reported"):
        path = checkout.folder / name
        yield from [path] if path.is_file() else (file for file in path.rglob("*") if file.suffix != ".pyc")


def comment_everywhere(checkout: Checkout) -> None:
    for path in filter(Path.is_file, sources(checkout)):
        if path.suffix in (".py", ".smk", ".yaml") or path.name == "Snakefile":
            path.write_text(path.read_text() + "\n# A comment.\n")


def reword_docstrings(checkout: Checkout) -> None:
    for path in (checkout.folder / "src").rglob("*.py"):
        text = path.read_text()
        path.write_text(text.replace('"""', '"""Reworded. ', 1) if text else '"""New."""\n')


def touch_everything(checkout: Checkout) -> None:
    for path in sources(checkout):
        os.utime(path)


def check_out_again(checkout: Checkout) -> None:
    for path in list(filter(Path.is_file, sources(checkout))):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)


def made_under_a_wrong_clock(checkout: Checkout) -> None:
    """Give inputs later dates than the results, and results earlier ones."""
    for folder, seconds in (("audio", 1e5), ("features", -1e5), ("models", 1e8), ("embeddings", -1e8)):
        for path in (checkout.folder / "results" / folder).rglob("*.*"):
            os.utime(path, (time.time() + seconds,) * 2)


def louder(checkout: Checkout) -> None:
    """Change a recording's samples; its size stays."""
    path = checkout.folder / CLIP
    content = path.read_bytes()
    path.write_bytes(content[:-2] + bytes([content[-2] ^ 1, content[-1]]))


def add_clip(checkout: Checkout) -> None:
    shutil.copy(checkout.folder / CLIP, checkout.folder / CLIP.replace("_0001_", "_0009_"))
    add_attributes_row = "section_00_source_train_normal_0009_spd_1_mic_source"
    csv = checkout.folder / "recordings" / "fan" / "attributes_00.csv"
    csv.write_text(f"{csv.read_text()}train/{add_attributes_row}.wav,spd,1,mic,source\n")


def register_another_backend(checkout: Checkout) -> None:
    package = checkout.folder / "src" / "asdlib" / "backends"
    shutil.copy(package / "toy_distance.py", package / "other.py")
    opening = "BACKENDS: dict[str, type] = {"
    new = f'from asdlib.backends.other import ToyDistance as Other\n\n{opening}"other": Other, '
    checkout.edit("src/asdlib/backends/__init__.py", opening, new)


def move_modules(checkout: Checkout) -> None:
    """Move modules that every stage imports to another folder, and the imports of them with it."""
    package = checkout.folder / "src" / "asdlib"
    moved = {"data/tables.py": "losses/tables.py", "training/optimisation.py": "examples/optimisation.py"}
    for old, new in moved.items():
        (package / old).rename(package / new)
    for path in package.rglob("*.py"):
        text = path.read_text()
        for old, new in moved.items():
            dotted = (f"asdlib.{name.removesuffix('.py').replace('/', '.')}" for name in (old, new))
            text = text.replace(*(f"from {name} import" for name in dotted))
        path.write_text(text)


def name_recordings_absolutely(checkout: Checkout) -> None:
    checkout.edit("settings.yaml", "{folder: recordings}", f"{{folder: {checkout.folder / 'recordings'}}}")


# Changes that affect nothing, made one after the other in one copy: what one of them affects, the others do not hide.
HARMLESS: tuple[Change, ...] = (
    # settings: of another system, of devices, downloads, scratch, memory and storing, and keys in another order
    setting("epochs: 2, batch", "epochs: 9, batch", "settings.yaml"),
    setting("device: cpu", "device: auto\ndownload: {attempts: 2, zenodo: https://localhost}", "settings.yaml"),
    setting("memory: 1100", "scratch: $TMPDIR\nmemory: 900\nstore_every: 5", "settings.yaml"),
    setting(
        "{kind: toy_distance, representation: latent, scale: 1.0}",
        "{scale: 1.0, kind: toy_distance, representation: latent}",
    ),
    # code: of another backend, and of a source that these recordings do not come from
    body("backends/smallest_distance.py", "anomaly_score"),
    body("data/demo/dataset.py", "fetch"),
    move_modules,
    register_another_backend,
    comment_everywhere,
    reword_docstrings,
    # files
    touch_everything,
    check_out_again,
    name_recordings_absolutely,
)
CHANGES: dict[str, tuple[Change, set[str]]] = {
    # settings
    "a backend's setting": (setting("scale: 1.0", "scale: 2.0"), SCORES),
    "a variant's fusion": (
        setting("backend: toy_distance}]}", "backend: toy_distance}], decision: {quantile: 0.8}}"),
        jobs("score toy * 00 toy joint", "tabulate toy"),
    ),
    "a model's epochs": (
        setting("epochs: 2,", "epochs: 1,"),
        TUNED | jobs("score toy * 00 toy both", "tabulate toy"),
    ),
    "the epochs of the model that another starts from": (
        setting("bands: 8\n    training: {epochs: 3", "bands: 8\n    training: {epochs: 4"),
        JOINT | TUNED | SCORES,
    ),
    "a frontend's setting": (setting("power: 1.0", "power: 2.0"), BELOW_FEATURES),
    "a frontend's dtype": (setting("float16", "float32"), BELOW_FEATURES),
    "an augmentation's setting": (
        setting("share: 0.5", "share: 0.25"),
        jobs("augment toy_mix toy *", "extract_features toy toy_levels * augmented/toy_mix") | JOINT | TUNED | SCORES,
    ),
    "a separator's setting": (setting("start: 0.5", "start: 0.25"), BELOW_SEPARATOR),
    "the clip length": (setting("prepare: {seconds: 1.0}", "prepare: {seconds: 0.5}", "settings.yaml"), EVERYTHING),
    # code
    "a backend's code": (body("backends/toy_distance.py", "anomaly_score"), SCORES),
    "a model's code": (body("models/toy_centre.py", "embed"), JOINT | TUNED | SCORES),
    "a frontend's code": (body("frontends/log_mel.py", "frames"), BELOW_FEATURES),
    "a separator's code": (body("separators/toy_gain.py", "separate"), BELOW_SEPARATOR),
    "the training loop's code": (
        body("training/optimisation.py", "learning_rate"),
        BELOW_SEPARATOR,
    ),
    "the code of all tables": (body("data/tables.py", "clip_rows"), EVERYTHING),
    "the metric's code": (body("evaluation/metrics.py", "section_areas"), {"tabulate toy"}),
    # files
    "a clock that was wrong": (made_under_a_wrong_clock, set()),
    "a recording": (louder, FAN),
    # By design: a recording is identified by name, size and time, because reading all of them would take minutes.
    "touch of a recording": (lambda checkout: os.utime(checkout.folder / CLIP), FAN),
    "a recording added": (add_clip, FAN),
    "a recording removed": (lambda checkout: (checkout.folder / CLIP).unlink(), FAN),
    "a machine added": (
        lambda checkout: make_machine(checkout.folder / "recordings" / "valve", train=5, seed=9),
        NEW_MACHINE | BELOW_SEPARATOR,
    ),
    "a reported figure": (setting("61.0", "62.0", "resources/reported/toy.csv"), {"tabulate toy"}),
}


def test_what_affects_nothing_runs_nothing_again(copy: Checkout) -> None:
    for make in HARMLESS:
        make(copy)
    assert copy.jobs(TABLES) == set()


@pytest.mark.parametrize("change", CHANGES)
def test_reruns(change: str, copy: Checkout) -> None:
    make, expected = CHANGES[change]
    make(copy)
    assert copy.jobs(TABLES) == expected


def download_settings_and_another_source(checkout: Checkout) -> None:
    checkout.edit("settings.yaml", "device: cpu", "download: {attempts: 2, parallel: 1}")
    body("data/sources/zenodo.py", "fetch")(checkout)


TINY_CHANGES: dict[str, tuple[Change, set[str]]] = {
    "download settings and another source's code": (download_settings_and_another_source, set()),
    "the dataset's block": (
        setting("train_source: 4", "train_source: 5", "settings.yaml"),
        {"download tiny fan", "prepare tiny fan"},
    ),
    "the source's code": (body("data/demo/dataset.py", "fetch"), {"download tiny fan", "prepare tiny fan"}),
    "the code of prepare": (body("steps/prepare.py", "prepare"), {"prepare tiny fan"}),
}


@pytest.mark.parametrize("change", TINY_CHANGES)
def test_reruns_of_a_fetched_dataset(change: str, copy: Checkout) -> None:
    make, expected = TINY_CHANGES[change]
    make(copy)
    assert copy.jobs("results/audio/raw/tiny/fan.parquet", "--config", "data=tiny") == expected


def test_going_back_to_an_old_setting_trains_nothing(copy: Checkout) -> None:
    """Models and embeddings have the recipe's key in their paths. Score files and tables have the same path for all
    settings, so only they are made again."""
    one_file = "results/toy/both/toy/anomaly_score_fan_section_00_test.csv"
    scored = "score toy fan 00 toy both"
    copy.edit(TOY, "epochs: 2,", "epochs: 1,")
    copy.run(one_file)
    copy.edit(TOY, "epochs: 1,", "epochs: 2,")
    assert copy.jobs(one_file) == {scored}
    assert copy.jobs(TABLES) == {scored, "tabulate toy"}


def test_every_rule_of_the_graph_has_run(built: Checkout) -> None:
    rules = {path.name for path in (built.folder / "results" / "benchmarks").iterdir()}
    scripts = {path.stem for path in (built.folder / "workflow" / "scripts").glob("*.py")}
    # Tested elsewhere: they need a hub (steps/test_fetch_checkpoint.py), a config (test_submission.py), recordings of
    # two microphones (test_two_microphones.py) and a model with pseudo-labels (test_systems.py).
    assert rules == scripts - {"fetch_checkpoint", "submission", "prepare_far", "label"}
