"""YAML files that do not conform to their schema give a one-line error that names file and key."""

import os
import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from asdlib.errors import AsdError
from asdlib.training.settings import Training
from asdlib.workflow.yaml_files import check, load_yaml, read_settings

ROOT = Path(__file__).parents[2]
GOOD = """
report: toy
title: A toy
models: {m: {kind: k, views: [raw]}}
variants: {v: {branches: [{model: m, backend: b}]}}
"""


def changed(old: str, new: str) -> str:
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


@pytest.fixture
def load(tmp_path):
    def read(text: str | bytes) -> dict:
        (tmp_path / "toy.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_yaml(tmp_path / "toy.yaml", "system")

    return read


def test_a_good_file_is_read(load):
    assert load(GOOD)["models"] == {"m": {"kind": "k", "views": ["raw"]}}


def test_a_system_without_a_report_names_none(load):
    assert "report" not in load(changed("report: toy\n", ""))


def test_anchors_and_merges_work(load):
    text = GOOD.replace("{m: {kind: k, views: [raw]}}", "\n  m: &m {kind: k, size: 1}\n  n: {<<: *m, size: 2}")
    assert load(text)["models"] == {"m": {"kind": "k", "size": 1}, "n": {"kind": "k", "size": 2}}


BAD = {
    "empty": ("", r"\(top level\): None is not of type 'object'"),
    "a list": ("[1, 2]", r"\(top level\): \[1, 2\] is not of type 'object'"),
    "not YAML": ("a: [b", r"is not YAML: .*line \d.*: correct it"),
    "a tab": ("a:\n\tb: 1", r"is not YAML: .*line 2"),
    "a line among others": ("a: b: c\nd: 1\ne: 2\nf: 3\n", "is not YAML: .* in line 1: correct it"),
    "a character that YAML does not allow": ("a: \x07b", "is not YAML: .* not allowed.*: correct it"),
    "not text": (b"\xff\xfe\x00", "is UTF-16, or not text"),
    "code": ('!!python/object/apply:os.system ["true"]', "is not YAML: could not determine a constructor"),
    "list as a key": ("[a]: 1", "is not YAML: .*unhashable key"),
    "key twice": (GOOD + "report: other", r"report: is defined twice \(line 6\): rename or remove one"),
    "inner key twice": (changed("kind: k,", "kind: k, kind: l,"), r"kind: is defined twice \(line 4\)"),
    "recipe twice": (changed("{m: {", "{m: {kind: l}, m: {"), r"m: is defined twice \(line 4\)"),
    "unknown key": (GOOD + "modles: {}", r"modles: unknown key: use one of: augmentations, backends, .*, variants"),
    "unknown inner key": (changed("backend: b", "backend: b, view: [raw]"), r"variants\.v\.branches\.0\.view: unk"),
    "missing key": (changed("title: A toy", ""), "title: is missing: add it"),
    "missing inner key": (changed(", backend: b", ""), r"variants\.v\.branches\.0\.backend: is missing: add it"),
    "missing kind": (changed("kind: k, ", ""), r"models\.m\.kind: is missing: add it"),
    "no name of a report": (changed("report: toy", "report:"), "report: None is not of type 'string'"),
    "wrong type": (
        changed("title: A toy", "title: 3"),
        "title: 3 is not of type 'string': put it in quotes if it is text",
    ),
    "wrong inner type": (changed("[raw]", "raw"), r"models\.m\.views: 'raw' is not of type 'array'"),
    "bad name": (changed("{v:", "{v-1:"), "variants: 'v-1' does not match"),
    "no variants": (changed("{v: {branches: [{model: m, backend: b}]}}", "{}"), r"variants: \{\} should be non-empty"),
    "a long value": (changed("title: A toy", f"title: [{'word, ' * 500}]"), r"title: \['word', .* … is not of type 's"),
}


@pytest.mark.parametrize(("text", "problem"), BAD.values(), ids=BAD)
def test_bad_files_are_refused_in_one_line(load, text, problem):
    with pytest.raises(AsdError, match=rf"^[^\n]*toy\.yaml: {problem}[^\n]*$") as error:
        load(text)
    assert len(str(error.value)) < 400


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(AsdError, match=r"gone\.yaml: cannot be read \(No such file or directory\): check the file"):
        load_yaml(tmp_path / "gone.yaml", "system")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    with pytest.raises(AsdError, match=r"pipe\.yaml: is a named pipe, not a file"):
        load_yaml(tmp_path / "pipe.yaml", "system")


NO_SETTINGS = {
    "empty": ("", "has no line `key: value`: add one"),
    "comments alone": ("# data: demo\n", "has no line `key: value`: add one"),
    "a list": ("- data\n", "has no line `key: value`: add one"),
    "very deep": (f"data: {'[' * 2000}{']' * 2000}", "data: is nested deeper than 50 levels: correct the value"),
    "an alias to itself": ("data: &a [*a]", "data: is nested deeper than 50 levels: correct the value"),
    "a block in itself": ("data: &a {b: *a}", "data: is nested deeper than 50 levels: correct the value"),
    "not finite": ("prepare: {seconds: .inf}", "prepare.seconds: is inf: give a finite number"),
}


@pytest.mark.parametrize(("text", "problem"), NO_SETTINGS.values(), ids=NO_SETTINGS)
def test_a_file_without_usable_settings_is_refused_by_its_name(tmp_path, text, problem):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(AsdError, match=rf"^{re.escape(str(tmp_path))}/mine\.yaml: {problem}[^\n]*$"):
        read_settings(tmp_path / "mine.yaml")


def test_a_file_that_breaks_off_while_it_is_read_is_refused(tmp_path):
    (tmp_path / "mine.yaml").symlink_to("/proc/self/mem")  # its first byte cannot be read
    with pytest.raises(AsdError, match=r"mine\.yaml: cannot be read \(Input/output error\): restore it"):
        read_settings(tmp_path / "mine.yaml")


def test_the_schema_is_named():
    with pytest.raises(AsdError, match=r"^config: data: is missing: .*workflow/schemas/config\.schema\.yaml"):
        check({}, "config", "config")


def test_the_files_of_this_repository_are_good():
    systems = sorted((ROOT / "config" / "systems").glob("*.yaml"))
    assert systems
    for path in systems:
        load_yaml(path, "system")


def test_the_limits_of_a_training_are_on_settings_that_exist():
    schema = yaml.safe_load((ROOT / "workflow" / "schemas" / "system.schema.yaml").read_text())
    limited = schema["$defs"]["recipes"]["additionalProperties"]["properties"]["training"]["properties"]
    assert limited.keys() <= {field.name for field in fields(Training)}
