"""Datasets given by name or folder: their machines and sections, and errors before any job runs."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from helpers.toy_recordings import make_machine

from asdlib.errors import AsdError
from asdlib.workflow import datasets
from asdlib.workflow.datasets import fingerprint, select

TWO = {"source": {"kind": "zenodo"}, "machines": ["fan", "pump"]}
DECLARED = {
    "fetched": TWO | {"sections": ["00", "01"], "year": 2022},
    "ids": TWO | {"sections": {"fan": ["00"], "pump": ["02", "04"]}},
    "holes": TWO | {"sections": {"fan": ["00"]}},
    "plain": {"source": {"kind": "demo"}, "machines": ["fan"]},
}


def config(data, **declared) -> dict:
    return {"data": data, "datasets": DECLARED | declared, "noise_pool": None, "test_share": 0.2}


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


@pytest.fixture
def folder(tmp_path):
    return touch(tmp_path / "mine", *(f"{machine}/{split}/a.wav" for machine in "ab" for split in ("train", "test")))


def test_declared_datasets():
    chosen = select(config(["fetched", "ids", "plain"]))
    assert list(chosen) == ["fetched", "ids", "plain"]
    assert chosen["fetched"].machines == {"fan": ("00", "01"), "pump": ("00", "01")}
    assert chosen["ids"].machines == {"fan": ("00",), "pump": ("02", "04")}
    assert chosen["plain"].machines == {"fan": ("00",)}
    assert chosen["fetched"].recordings("fan") == Path("resources/downloads/recordings/fetched/fan")
    assert (chosen["fetched"].year, chosen["plain"].year) == (2022, None)


def test_a_block_states_the_kind_of_supplements(folder):
    mine = {"folder": str(folder), "supplements": {"b": "noise"}}
    chosen = select(config(["mine", "named"], mine=mine, named=TWO | {"supplements": {"fan": "clean"}}))
    assert (chosen["mine"].supplements, chosen["named"].supplements) == ({"b": "noise"}, {"fan": "clean"})
    assert (chosen["mine"].official, chosen["named"].official) == (False, True)
    with pytest.raises(AsdError, match=r"config: datasets\.mine\.supplements: there is no machine c: use one of: a, b"):
        select(config("mine", mine=mine | {"supplements": {"c": "noise"}}))


def test_a_folder_is_named_after_itself(folder, monkeypatch):
    for text in (str(folder), f"{folder}/", f"{folder}/../mine"):
        (chosen,) = select(config(text)).values()
        assert (chosen.name, list(chosen.machines), chosen.source) == ("mine", ["a", "b"], None)
        assert chosen.recordings("a").resolve() == folder / "a"
    monkeypatch.chdir(folder)
    assert list(select(config("."))) == ["mine"]
    monkeypatch.setenv("HOME", str(folder.parent))
    assert list(select(config("~/mine"))) == ["mine"]


def test_machines_are_the_folders_with_recordings(folder):
    touch(
        folder,
        "README.md",
        "docs/a.txt",
        ".cache/train/a.wav",
        "old/source_test/a.wav",
        "c/test/a.wav",
        "d/train/a.wav",
        "d/train/b.wav",
    )
    assert list(select(config(str(folder)))["mine"].machines) == ["a", "b", "c", "d", "old"]


def test_links_are_followed(folder, tmp_path):
    (tmp_path / "linked").symlink_to(folder)
    (folder / "c").symlink_to(folder / "a")
    touch(folder, "a/test/section_03_0000.wav")
    assert select(config(str(tmp_path / "linked")))["linked"].machines["c"] == ("03",)


SECTIONS = {
    "2020": (["test/normal_id_04_00000000.wav", "test/anomaly_id_02_00000000.wav", "test/id_06_0.wav"], "02 04 06"),
    "2021": (["source_test/section_00_source_test_normal_0.wav", "target_test/section_01_target_test_0.wav"], "00 01"),
    "2022": (["test/section_03_0000.wav", "test/section_05_test_0001.wav"], "03 05"),
    "2025": (["test/section_00_source_test_normal_0000_id_07_mic_1.wav"], "00"),
    "upper-case ending": (["test/section_01_source_test_normal_0000.WAV"], "01"),
    "another one in training": (["test/section_00_0000.wav", "train/section_01_source_train_normal_0000.wav"], "00"),
    "foreign names": (["test/my_section_02_clip.wav"], "00"),
    "no test clips": (["train/section_01_source_train_normal_0000.wav"], "00"),
}


@pytest.mark.parametrize(("names", "sections"), SECTIONS.values(), ids=SECTIONS)
def test_sections_are_those_of_the_test_clips(tmp_path, names, sections):
    touch(tmp_path / "mine" / "fan", *names)
    assert select(config(str(tmp_path / "mine")))["mine"].machines == {"fan": tuple(sections.split())}


def test_a_declared_folder_may_choose_machines_and_sections(folder):
    block = {"folder": str(folder), "machines": ["b"], "sections": ["03"], "year": 2022}
    chosen = select(config("own", own=block))["own"]
    assert (chosen.name, chosen.machines, chosen.folder, chosen.year) == ("own", {"b": ("03",)}, folder, 2022)


# The value of `data`, the block `datasets.own` or None, and the error message; HERE stands for a temporary folder.
OWN = r"datasets\.own\.folder"
REFUSED = {
    "no folder": ("HERE/gone", None, r"data: 'HERE/gone' is neither a folder nor .* fetched, holes, ids, plain"),
    "nothing": ("", None, "data: '' is neither a folder nor"),
    "a name that is too long": ("x" * 300, None, "data: 'x+' is neither a folder nor"),
    "a table whose name is too long": (f"{'x' * 300}.csv", None, r"data: 'x+\.csv' is neither a folder nor"),
    "an unknown user": ("~no-such-user/mine", None, "data: '~no-such-user/mine' is neither a folder nor"),
    "declared, too long": ("own", {"folder": "x" * 300}, f"{OWN}: x+ is not a folder: correct the path"),
    "noise, too long": ("own", {"folder": "HERE/mine", "noise_pool": "x" * 300}, "datasets.own.noise_pool: x+ is"),
    "a file": ("HERE/mine/a/train/a.wav", None, "data: 'HERE/.*wav' is neither a folder nor"),
    "no machine": ("HERE/empty", None, "data: HERE/empty contains no machine: expected <machine>/train/"),
    "a space": ("HERE/my data", None, "data: HERE/my data: a dataset is named after its folder: use .* my_data$"),
    "machine with a space": ("HERE/odd", None, "data: HERE/odd/my fan: not a usable machine name: use up to 100"),
    "machine called all": ("HERE/joint", None, "data: HERE/joint/all: not a usable machine name"),
    "name of a declared one": ("HERE/plain", None, "data: HERE/plain: plain is a declared dataset: rename the folder"),
    "two of one name": (["HERE/mine", "HERE/other/mine"], None, "data: two datasets are named mine: rename a folder"),
    "one twice": (["plain", "plain"], None, "data: two datasets are named plain"),
    "no sections": ("holes", None, r"datasets\.holes\.sections: machine pump has none: add them"),
    "declared, no folder": ("own", {"folder": "HERE/gone"}, f"{OWN}: HERE/gone is not a folder: correct the path"),
    "declared, no machine": ("own", {"folder": "HERE/mine", "machines": ["c"]}, f"{OWN}: HERE/mine/c has neither"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "block", "problem"), REFUSED.values(), ids=REFUSED)
def test_bad_choices_are_refused_in_one_line(folder, tmp_path, data, block, problem):
    for name in ("my data/fan/train", "odd/my fan/train", "joint/all/train", "empty/not/at_all"):
        touch(tmp_path, f"{name}/a.wav")
    shutil.copytree(folder, tmp_path / "plain")
    shutil.copytree(folder, tmp_path / "other" / "mine")
    asked = config(data, own=block) if block else config(data)
    asked = json.loads(json.dumps(asked).replace("HERE", str(tmp_path)))
    with pytest.raises(AsdError, match=rf"^config: {problem.replace('HERE', re.escape(str(tmp_path)))}[^\n]*$"):
        select(asked)


def test_sections_are_those_of_recordings_alone(folder):
    touch(folder, "a/test/section_05_notes.txt", "a/test/section_06_0000.txt", "a/test/section_07_0000.WAV")
    assert select(config(str(folder)))["mine"].machines["a"] == ("07",)


def test_what_leads_nowhere_or_has_an_odd_name_is_no_machine(folder):
    (folder / "loop").symlink_to("loop")
    (folder / "gone").symlink_to("nowhere")
    touch(folder, os.fsdecode(b"\xff.txt"), os.fsdecode(b"a/\xff.txt"), os.fsdecode(b"a/train/\x1b\xff.txt"))
    (folder / os.fsdecode(b"\xff")).mkdir()
    os.mkfifo(folder / "pipe")
    assert list(select(config(str(folder)))["mine"].machines) == ["a", "b"]
    assert fingerprint(folder / "a")


def test_a_machine_with_an_odd_name_is_refused_in_one_printable_line(folder):
    touch(folder, os.fsdecode(b"\xff\x1b\n/train/a.wav"))
    with pytest.raises(AsdError, match=r"mine/\\xff\\x1b\\n: not a usable machine name") as error:
        select(config(str(folder)))
    assert str(error.value).isprintable()


def test_an_unreadable_folder_is_refused(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)  # chmod has no effect on root
    with pytest.raises(AsdError, match=r"mine: cannot be read \(Permission denied\): check its permissions"):
        select(config(str(folder)))


def test_the_fingerprint_follows_recordings_and_tables_and_nothing_else(tmp_path):
    machine = make_machine(tmp_path / "fan", train=1, target=0, test=1, seconds=0.01)
    clip = next((machine / "train").iterdir())
    first = fingerprint(machine)
    assert fingerprint(shutil.copytree(machine, tmp_path / "moved")) == first, "moved"
    touch(machine, "README.md", ".DS_Store", "train/.hidden", "notes/a.wav", "train/a.m4a", "notes.csv")
    assert fingerprint(machine) == first

    def changed() -> bool:
        nonlocal first
        before, first = first, fingerprint(machine)
        return before != first

    os.utime(clip, ns=(0, 1))
    assert changed()
    clip.rename(clip.with_name("section_00_source_train_normal_0009.wav"))
    assert changed()
    touch(machine, "attributes_01.csv")
    assert changed()
    touch(machine, "Attributes_02.CSV")
    assert changed()
    touch(machine, os.fsdecode(b"test/\xff.WAV"))
    assert changed()
    (machine / "test" / "gone.wav").symlink_to("nowhere.wav")
    assert changed(), "a broken link is reported by the job that reads it"
    touch(machine, "supplemental/section_00_noise_0009.wav")
    assert changed()


def test_a_noise_pool_is_the_datasets_own_or_the_runs(tmp_path, folder):
    for name in ("own", "run"):
        touch(tmp_path / name, "rain.wav")
    block = {"folder": str(folder), "noise_pool": str(tmp_path / "own")}
    settings = config([str(folder), "declared"], declared=block) | {"noise_pool": str(tmp_path / "run")}
    assert {name: found.noise_pool.name for name, found in select(settings).items()} == {
        "mine": "run",
        "declared": "own",
    }
    assert select(config(str(folder)))["mine"].noise_pool is None


def test_a_noise_pool_without_recordings_is_refused(tmp_path, folder):
    (tmp_path / "pool").mkdir()
    with pytest.raises(
        AsdError, match=r"noise_pool: .*pool is not a folder with recordings of noise: correct the path"
    ):
        select(config(str(folder)) | {"noise_pool": str(tmp_path / "pool")})


def test_a_noise_pool_is_watched(tmp_path):
    pool = touch(tmp_path / "pool", "rain.wav", "notes.txt")
    before = datasets.pool_fingerprint(pool)
    (pool / "notes.txt").write_text("no recording")
    assert datasets.pool_fingerprint(pool) == before
    touch(pool, "wind.WAV")
    assert datasets.pool_fingerprint(pool) != before
    before = datasets.pool_fingerprint(pool)
    (pool / "rain.wav").write_bytes(b"other")
    assert datasets.pool_fingerprint(pool) != before
