"""Bad configs: an error of one line, with the file or key and the remedy, before any job runs."""

import datetime
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.checkout import ROOT
from helpers.refusals import files, refused
from helpers.toy_recordings import make_machine

from asdlib.workflow.graph import Graph
from asdlib.workflow.recipes import merge
from asdlib.workflow.yaml_files import read_yaml

Config = dict[str, Any]
SYSTEM = read_yaml(ROOT / "config" / "systems" / "baseline.yaml")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root with one system, recordings in `mine` and no recordings in `empty`."""
    make_machine(tmp_path / "mine" / "fan", train=1, target=0, test=1, seconds=0.01)
    make_machine(tmp_path / "demo" / "fan", train=1, target=0, test=1, seconds=0.01)
    for name in ("corpus", "scored"):
        make_machine(tmp_path / name / "fan", train=1, target=0, test=1, seconds=0.01)
    (tmp_path / "empty").mkdir()
    (tmp_path / "config" / "systems").mkdir(parents=True)
    write(tmp_path, "baseline", SYSTEM)
    return tmp_path


def write(root: Path, name: str, content: Any) -> None:
    text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
    (root / "config" / "systems" / f"{name}.yaml").write_text(text)


def config(root: Path, **changed: Any) -> Config:
    """Return the shipped config with `data` set to `mine` and changes; a key set to `...` is left out."""
    shipped: Config = {}
    for name in ("datasets.yaml", "checkpoints.yaml", "config.yaml"):
        shipped |= read_yaml(ROOT / "config" / name)
    laid = shipped | {"data": str(root / "mine")} | changed
    return {key: value for key, value in laid.items() if value is not ...}


def build(root: Path, laid: Config) -> None:
    """Build the graph as the Snakefile does."""
    graph = Graph(laid, root)
    _ = graph.variants, graph.recipes_by_key


def test_the_shipped_config_is_good(root):
    build(root, config(root))


SCHEMA = r" \(see workflow/schemas/config\.schema\.yaml\)"
PREPARE = {
    "sample_rate": 16000, "seconds": 10, "longer": "cut", "resample": False, "downmix": False, "channel": None,
    "allow_silent": False,
}  # fmt: skip
ZENODO = {"kind": "zenodo", "archives": []}
# case: keys of the config, and the message; ROOT stands for a temporary folder
KEYS = {
    "unknown key": (
        {"sytems": ["baseline"]},
        "config: sytems: unknown key: use one of: checkpoints, container, data, .*" + SCHEMA,
    ),
    "unknown inner key": ({"prepare": PREPARE | {"rate": 1}}, r"config: prepare\.rate: unknown key: use one of: .*"),
    "missing key": ({"seeds": ...}, "config: seeds: is missing: add it" + SCHEMA),
    "missing inner key": ({"prepare": {"seconds": 10}}, r"config: prepare\.\w+: is missing: add it" + SCHEMA),
    "wrong type": ({"systems": "baseline"}, "config: systems: 'baseline' is not of type 'array': correct the value.*"),
    "wrong inner type": (
        {"prepare": PREPARE | {"seconds": "long"}},
        r"config: prepare\.seconds: 'long' .*: correct .*",
    ),
    "no seeds": ({"seeds": []}, r"config: seeds: \[\] should be non-empty: correct the value.*"),
    "seed twice": ({"seeds": [1, 1]}, r"config: seeds: \[1, 1\] has non-unique elements: correct the value.*"),
    "negative seed": ({"seeds": [-1]}, r"config: seeds\.0: -1 is less than the minimum of 0: correct the value.*"),
    "unknown device": ({"device": "tpu"}, r"config: device: 'tpu' is not one of \['auto', .*: correct the value.*"),
    "no mirror": ({"download": {"zenodo": "mirror"}}, r"config: download\..*: .*: (add it|correct the value).*"),
    "unknown system": ({"systems": ["sistem1"]}, r"config: systems: there is no config/systems/sistem1\.yaml: use: .*"),
    "data at a wrong path": (
        {"data": "ROOT/gone"},
        "config: data: 'ROOT/gone' is neither a folder nor .*: use a path, .*",
    ),
    "data in an empty folder": (
        {"data": "ROOT/empty"},
        "config: data: ROOT/empty contains no machine: expected <machine>/.*",
    ),
    "data is one machine": (
        {"data": "ROOT/mine/fan"},
        "config: data: .*/fan contains no machine: expected <machine>/train.*",
    ),
    "data named like a dataset": (
        {"data": "ROOT/demo"},
        "config: data: ROOT/demo: demo is a declared dataset: rename .*",
    ),
    "data that YAML reads as a number": (
        {"data": 202509},
        "config: data: 202509 is not of type 'string', 'array': put it in quotes if it is text.*",
    ),
    "data that is not text to YAML": ({"data": True}, "config: data: True is not of type .*: put it in quotes .*"),
    "folder that YAML reads as a number": (
        {"data": "x", "datasets": {"x": {"folder": 123}}},
        r"config: datasets\.x\.folder: 123 is not of type 'string': put it in quotes if it is text.*",
    ),
    "data named corpus": ({"data": "ROOT/corpus"}, "config: data: ROOT/corpus: corpus is a reserved name: rename .*"),
    "data named scored": ({"data": "ROOT/scored"}, "config: data: ROOT/scored: scored is a reserved name: rename .*"),
    "data twice": ({"data": ["ROOT/mine", "ROOT/mine"]}, "config: data: two datasets are named mine: rename .*"),
    "unknown source": (
        {"data": "x", "datasets": {"x": {"source": {"kind": "ftp"}, "machines": ["fan"]}}},
        r"config: datasets\.x\.source\.kind: there is no sources kind 'ftp': use one of: demo, zenodo",
    ),
    "unknown key of a source": (
        {"data": "x", "datasets": {"x": {"source": ZENODO | {"records": 1}, "machines": ["fan"]}}},
        r"config: datasets\.x\.source\.records: unknown key: use one of: archives",
    ),
    "dataset without a source": (
        {"data": "x", "datasets": {"x": {"machines": ["fan"]}}},
        r"config: datasets\.x: .*: correct the value.*",
    ),
    "machine called all": (
        {"data": "x", "datasets": {"x": {"source": ZENODO, "machines": ["all"]}}},
        r"config: datasets\.x\.machines\.0: 'all' does not match .*: correct the value.*",
    ),
    "override of an unknown recipe": (
        {"override": {"models": {"dense_ea": {"hidden": 8}}}},
        r"config: override\.models\.dense_ea: no system file defines this recipe: correct the name",
    ),
    "override of an unknown setting": (
        {"override": {"models": {"dense_ae": {"hiden": 8}}}},
        r".*models\.dense_ae\.hiden: unknown key: use one of: .*hidden.*",
    ),
    "override of a setting of training": (
        {"override": {"models": {"dense_ae": {"epochs": 3}}}},
        r"config: override\.models\.dense_ae\.epochs: unknown key: did you mean "
        r"override\.models\.dense_ae\.training\.epochs\? Write --config "
        r"'override=\{models: \{dense_ae: \{training: \{epochs: 3\}\}\}\}'",
    ),
    "override in training of a setting beside it": (
        {"override": {"models": {"dense_ae": {"training": {"hidden": 8}}}}},
        r".*dense_ae\.training\.hidden: unknown key: did you mean override\.models\.dense_ae\.hidden\? .*",
    ),
    "key of an inner block": (
        {"downmix": True},
        r"config: downmix: unknown key: did you mean prepare\.downmix\? Write --config 'prepare=\{downmix: true\}'"
        + SCHEMA,
    ),
    "override in an unknown section": (
        {"override": {"model": {}}},
        r"config: override\.model: unknown key: use one of: .*",
    ),
    "override that is no block": (
        {"override": {"models": {"dense_ae": 3}}},
        r"config: override\.models\.dense_ae: 3 .*",
    ),
}
NAME = {"licence": "MIT", "repository": "a/b"}
LONG = "x" * 101
KEYS |= {
    f"prepare: {key}: {value}": ({"prepare": PREPARE | {key: value}}, rf"config: prepare\.{key}: {problem}" + end)
    for key, value, problem, end in [
        ("seconds", math.inf, "is inf: give a finite number", ""),
        ("seconds", math.nan, "is nan: give a finite number", ""),
        ("seconds", 1e9, "1000000000.0 is greater than the maximum of 3600: correct the value", SCHEMA),
        ("seconds", 1e-9, "1e-09 is less than the minimum of 0.01: correct the value", SCHEMA),
        ("sample_rate", 2**63, r"needs more than 64 bits: give a number below 2\^63", ""),
        ("sample_rate", 10**7, "10000000 is greater than the maximum of 768000: correct the value", SCHEMA),
        ("sample_rate", 16000.0, "16000.0 is not of type 'integer': correct the value", SCHEMA),
    ]
}
KEYS |= {
    "seed of 64 bits": ({"seeds": [2**63]}, r"config: seeds\.0: needs more than 64 bits: give a number below 2\^63"),
    "seed with a fraction": ({"seeds": [1.0]}, r"config: seeds\.0: 1\.0 is not of type 'integer': correct the value.*"),
    "threads for a million": ({"threads": 10**6}, "config: threads: 1000000 is greater than the maximum of 1024: .*"),
    "an endless timeout": (
        {"download": {"timeout": math.inf}},
        r"config: download\.timeout: is inf: give a finite number",
    ),
    "infinity in an override": (
        {"override": {"models": {"dense_ae": {"training": {"learning_rate": math.inf}}}}},
        r"config: override\.models\.dense_ae\.training\.learning_rate: is inf: give a finite number",
    ),
    "a key that is a number": (
        {"override": {"models": {"dense_ae": {1: 2}}}},
        r"config: override\.models\.dense_ae\.1: is not text: put the key in quotes",
    ),
    "a date": (
        {"datasets": {"x": {"folder": "y", "noise_pool": datetime.date(2025, 9, 1)}}},
        r"config: datasets\.x\.noise_pool: is a date: put the value in quotes",
    ),
    "long name of a dataset": (
        {"datasets": {LONG: {"folder": "x"}}},
        "config: datasets: 'x{57} … is too long: correct .*",
    ),
    "long name of a machine": (
        {"datasets": {"x": {"source": ZENODO, "machines": [LONG]}}},
        r"config: datasets\.x.*: correct the value.*",
    ),
    "long name of weights": ({"checkpoints": {LONG: NAME | {"file": "x"}}}, "config: checkpoints: .*: correct .*"),
    "long name of a file of weights": (
        {"checkpoints": {"x": NAME | {"file": LONG}}},
        r"config: checkpoints\.x\.file: .* is too long: correct .*",
    ),
}
UNCLEAR = {"file": "x", "licence": "x"}
KEYS |= {
    "weights from the hub and from an address": (
        {"checkpoints": {"x": NAME | {"file": "x", "url": "https://x/y"}}},
        r"config: checkpoints\.x: 'address' is a dependency of 'url': correct the value.*",
    ),
    "weights from a disk": (
        {"checkpoints": {"x": UNCLEAR | {"address": "x", "url": "file:///x"}}},
        r"config: checkpoints\.x\.url: 'file:///x' does not match .*: correct the value.*",
    ),
    "an origin without a pin": (
        {"checkpoints": {"x": NAME | {"file": "x", "pinned_from": "y"}}},
        r"config: checkpoints\.x: 'sha256' is a dependency of 'pinned_from': correct the value.*",
    ),
}
SHIPPED = read_yaml(ROOT / "config" / "config.yaml")
SUBMISSION = SHIPPED["submission"]
# Every text with a pattern: a line break at its end is refused.
KEYS["space in an address"] = (
    {"download": SHIPPED["download"] | {"hub": "https://x y"}},
    r"config: download\.hub: 'https://x y' does not match .*: correct the value.*",
)
KEYS |= {
    f"line break in {name}": (keys, r"config: .*does not match '.*\\\\Z': correct the value.*")
    for name, keys in {
        "author": {"submission": SUBMISSION | {"author": "Doe\n"}},
        "institute": {"submission": SUBMISSION | {"institute": "X\n"}},
        "report": {"submission": SUBMISSION | {"report": "x.pdf\n"}},
        "variant": {"submission": SUBMISSION | {"variants": ["baseline/mse\n"]}},
        "described variant": {"submission": SUBMISSION | {"meta": {"baseline/mse\n": {}}}},
        "weights": {"checkpoints": {"x\n": NAME | {"file": "x"}}},
        "file": {"checkpoints": {"x": NAME | {"file": "x\n"}}},
        "sha256": {"checkpoints": {"x": NAME | {"file": "x", "sha256": "0" * 64 + "\n"}}},
        "repository": {"checkpoints": {"x": NAME | {"file": "x", "repository": "a/b\n"}}},
        "address of weights": {
            "checkpoints": {"x": {"file": "x", "licence": "x", "address": "x", "url": "https://x/y\n"}}
        },
        "revision": {"checkpoints": {"x": NAME | {"file": "x", "revision": "main\n"}}},
        "dataset": {"datasets": {"x\n": {"folder": "x"}}},
        "machine": {"datasets": {"x": {"source": ZENODO, "machines": ["fan\n"]}}},
        "section": {"datasets": {"x": {"folder": "x", "sections": ["00\n"]}}},
    }.items()
}


@pytest.mark.parametrize(("keys", "complaint"), KEYS.values(), ids=KEYS)
def test_keys(root, keys, complaint):
    laid = yaml.safe_load(yaml.safe_dump(config(root, **keys)).replace("ROOT", str(root)))
    before = files(root)
    refused(lambda: build(root, laid), complaint.replace("ROOT", re.escape(str(root))))
    assert files(root) == before


def changed(**sections: Any) -> Callable[[Path], None]:
    """Apply changes to the file of the system."""
    return lambda root: write(root, "baseline", merge(SYSTEM, sections))


def without(section: str, recipe: str, key: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        block = {name: value for name, value in SYSTEM[section][recipe].items() if name != key}
        write(root, "baseline", SYSTEM | {section: SYSTEM[section] | {recipe: block}})

    return change


def text(change: Callable[[str], str]) -> Callable[[Path], None]:
    return lambda root: write(root, "baseline", change(yaml.safe_dump(SYSTEM, sort_keys=False)))


def variant(**keys: Any) -> Callable[[Path], None]:
    branch = {"model": "dense_ae", "backend": "mahalanobis"}
    return changed(variants={"mse": {"branches": [branch | keys]}})


def copied(root: Path) -> None:
    write(root, "other", SYSTEM)


def emptied(root: Path) -> None:
    (root / "config" / "systems" / "baseline.yaml").unlink()


MODEL = r"FILE: models\.dense_ae"
TRAINING = {"training": {"epochs": "many"}}
CIRCLE = {"dense_ae": {"init": "other_ae"}, "other_ae": SYSTEM["models"]["dense_ae"] | {"init": "dense_ae"}}
# case: the error in the file of the system, and the message; FILE stands for config/systems/baseline.yaml
SYSTEMS = {
    "no systems": (emptied, "SYSTEMS: contains no system files: restore config/systems"),
    "not YAML": (text(lambda old: old + "models: ["), "FILE: is not YAML: .*: correct it"),
    "empty file": (text(lambda old: ""), r"FILE: \(top level\): None is not of type 'object': correct the value.*"),
    "key twice": (
        text(lambda old: old + "title: again\n"),
        r"FILE: title: is defined twice \(line \d+\): rename or remove one",
    ),
    "unknown section": (changed(modles={}), "FILE: modles: unknown key: use one of: .*models.*"),
    "no title": (text(lambda old: old.replace("title", "name")), "FILE: (name: unknown key|title: is missing): .*"),
    "recipe of another file's name": (
        copied,
        r".*/other\.yaml: \w+\.\w+: .*baseline\.yaml has a recipe of this name: rename one",
    ),
    "unknown kind": (
        changed(models={"dense_ae": {"kind": "dense_ea"}}),
        rf"{MODEL}\.kind: there is no models kind 'dense_ea': use one of: .*",
    ),
    "unknown setting": (
        changed(models={"dense_ae": {"hiden": 8}}),
        rf"{MODEL}\.hiden: unknown key: use one of: .*hidden.*",
    ),
    "setting of a wrong type": (
        changed(models={"dense_ae": {"hidden": "8"}}),
        rf"{MODEL}\.hidden: '8' is not of type int: correct the value",
    ),
    "missing setting": (
        without("backends", "mahalanobis", "representation"),
        r"FILE: backends\.mahalanobis\.representation: is missing: add it",
    ),
    "training of a wrong type": (
        changed(models={"dense_ae": TRAINING}),
        rf"{MODEL}\.training\.epochs: 'many' is not of type int: .*",
    ),
    "training setting beside the block": (
        changed(models={"dense_ae": {"epochs": 3}}),
        rf"{MODEL}\.epochs: unknown key: did you mean models\.dense_ae\.training\.epochs\?",
    ),
    "unknown training setting": (
        changed(models={"dense_ae": {"training": {"epoch": 3}}}),
        rf"{MODEL}\.training\.epoch: unknown key: use one of: .*epochs.*",
    ),
    "unknown dtype": (
        changed(frontends={"logmel_128": {"dtype": "int8"}}),
        r"FILE: frontends\.logmel_128\.dtype: 'int8' is not one of .*: correct .*",
    ),
    "missing model": (
        variant(model="dense_ea"),
        r"FILE: variants\.mse\S*: no recipe models\.dense_ea: define it, or name one of: dense_ae",
    ),
    "missing backend": (
        variant(backend="knn"),
        r"FILE: variants\.mse\S*: no recipe backends\.knn: define it, or name one of: .*mahalanobis.*",
    ),
    "missing frontend": (
        changed(models={"dense_ae": {"frontend": "logmel"}}),
        r"FILE: models\.dense_ae\.frontend: no recipe frontends\.logmel: define it, or .*",
    ),
    "bad view": (
        variant(views=["seperated/x"]),
        r"FILE: variants\.mse\S*: view 'seperated/x': use raw, far, separated/<separator> or .*",
    ),
    "view of a missing separator": (
        variant(views=["separated/x"]),
        r"FILE: variants\.mse\S*: no recipe separators\.x: define it, or name one of: none",
    ),
    "model built from itself": (
        changed(models=CIRCLE),
        r"FILE: models\.\w+_ae\.init: models\.\w+_ae builds on itself \(.* > .*\): remove the cycle",
    ),
    "unknown fusion": (
        changed(variants={"mse": {"fusion": "max"}}),
        r"FILE: variants\.mse\.fusion: 'max' is not one of \['mean', 'z_mean', 'rank_mean'\]: .*",
    ),
    "hostile name of a system": (
        lambda root: write(root, "x$(touch PWNED)", SYSTEM),
        r"SYSTEMS/x\$\(touch PWNED\)\.yaml: a system is named after its file: use up to 100 letters, digits and ._\+-",
    ),
    "long name of a system": (
        lambda root: write(root, "x" * 101, SYSTEM),
        r"SYSTEMS/x{101}\.yaml: a system is named after its file: use up to 100 letters, digits and ._\+-",
    ),
    "long name of a recipe": (
        changed(models={"x" * 101: SYSTEM["models"]["dense_ae"]}),
        "FILE: models: 'x{57} … is too long: correct the value.*",
    ),
    "line break in a recipe's name": (
        changed(models={"x\n": SYSTEM["models"]["dense_ae"]}),
        r"FILE: models: 'x\\n' does not match .*: correct the value.*",
    ),
    "line break in a variant's name": (
        changed(variants={"x\n": SYSTEM["variants"]["mse"]}),
        r"FILE: variants: 'x\\n' does not match .*: correct the value.*",
    ),
    "infinity": (
        changed(models={"dense_ae": {"training": {"learning_rate": math.inf}}}),
        rf"{MODEL}\.training\.learning_rate: is inf: give a finite number",
    ),
    "variant without branches": (
        changed(variants={"mse": {"branches": []}}),
        r"FILE: variants\.mse\.branches: \[\] should be non-empty: .*",
    ),
}


@pytest.mark.parametrize(("spoil", "complaint"), SYSTEMS.values(), ids=SYSTEMS)
def test_systems(root, spoil, complaint):
    spoil(root)
    folder = re.escape(str(root / "config" / "systems"))
    complaint = complaint.replace("FILE", rf"{folder}/baseline\.yaml").replace("SYSTEMS", folder)
    refused(lambda: build(root, config(root)), complaint)
