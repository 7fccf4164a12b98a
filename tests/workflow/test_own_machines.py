"""Datasets in tables and in layouts of the user's own: their machines, sections, fingerprints and what is printed."""

import os
from pathlib import Path

import numpy as np
import pytest
from helpers.toy_recordings import PREPARE, make_machine, sound, write_wav

from asdlib.data.layouts.folders import FORMS
from asdlib.data.tables import ClipTable
from asdlib.errors import AsdError
from asdlib.steps.prepare import PrepareSettings, prepare
from asdlib.workflow.config import read_config
from asdlib.workflow.datasets import Dataset, select
from asdlib.workflow.graph import Graph
from asdlib.workflow.typed_settings import typed


def config(data, **declared) -> dict:
    return {"data": data, "datasets": declared, "noise_pool": None, "test_share": 0.25}


def write(folder: Path, *names: str) -> Path:
    rng = np.random.default_rng(0)
    for name in names:
        write_wav(folder / name, sound(rng, 0.1))
    return folder


def one(data, **declared) -> Dataset:
    (chosen,) = select(config(str(data), **declared)).values()
    return chosen


MIMII = [f"{machine}/id_0{unit}/normal/{number}.wav" for machine in ("fan", "pump") for unit in (0, 2)
         for number in range(4)]  # fmt: skip


def test_mimii(tmp_path):
    chosen = one(write(tmp_path / "mimii", *MIMII, "fan/id_00/abnormal/0.wav"))
    assert chosen.machines == {"fan": ("00", "02"), "pump": ("00", "02")}
    assert chosen.recordings("fan") == tmp_path / "mimii" / "fan"
    assert chosen.understood[0] == (
        f"{tmp_path}/mimii: layout mimii ({FORMS['mimii']}); every clip is of the source domain"
    )
    held = "1 of 4 normal recordings are held out as test clips (test_share), the last in the order of names"
    assert f"{tmp_path}/mimii: fan, section 00: {held}" in chosen.understood
    assert chosen.understood[-2:] == ("fan: 6 train, 3 test", "pump: 6 train, 2 test")


def test_a_folder_that_is_a_machine_itself(tmp_path):
    chosen = one(write(tmp_path / "pump", "normal/a.wav", "normal/b.wav", "judge/c.wav"))
    assert (chosen.machines, chosen.layout("pump")) == ({"pump": ("00",)}, "flat")
    assert one(write(tmp_path / "all_of_it", "a.wav", "b.wav")).machines == {"all_of_it": ("00",)}
    assert one(write(tmp_path / "drill", "train/a.wav", "test/b.wav")).machines == {"drill": ("00",)}
    saw = one(write(tmp_path / "saw", "train/good/a.wav", "test/good/b.wav", "test/leak/c.wav"))
    assert (saw.machines, saw.layout("saw")) == ({"saw": ("00",)}, "mvtec")
    toys = one(write(tmp_path / "toys", "train/normal/a.wav", "train/normal/b.wav", "car/normal/a.wav", "car/b.wav"))
    assert list(toys.machines) == ["car", "train"]


ABOVE = {
    "one folder": (["6_dB_fan/fan/id_00/normal/0.wav"], "6_dB_fan"),
    "several": ([f"{level}_dB/fan/id_00/normal/0.wav" for level in (0, 6, 9)], "0_dB (and 2 more)"),
    "recordings alone": (["pump/0.wav", "saw/b/c/0.wav"], "pump"),
}


@pytest.mark.parametrize(("names", "meant"), ABOVE.values(), ids=ABOVE)
def test_a_folder_above_the_datasets_is_told_which_to_name(tmp_path, names, meant):
    folder = write(tmp_path / "top", *names)
    with pytest.raises(AsdError) as error:
        one(folder)
    assert str(error.value) == f"config: data: {folder} contains no machine: use data={folder}/{meant}"
    with pytest.raises(AsdError) as error:
        one("own", own={"folder": str(folder)})
    assert str(error.value) == f"config: datasets.own.folder: {folder} contains no machine: use {folder}/{meant}"


@pytest.fixture
def unreadable(monkeypatch):
    """Return a set of names of folders that cannot be read; root may read everything, so the refusal is made here."""
    names, real = set(), os.scandir

    def scandir(path):
        if Path(os.fspath(path)).name in names:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    return names


def test_a_folder_that_cannot_be_read_is_not_one_to_name(tmp_path, unreadable):
    folder = write(tmp_path / "top", "6_dB_fan/fan/id_00/normal/0.wav", "disk/lost/fan/id_00/normal/0.wav")
    unreadable.add("lost")
    with pytest.raises(AsdError, match=r"top contains no machine: use data=\S+/6_dB_fan$"):
        one(folder)
    with pytest.raises(AsdError, match=r"disk/lost: cannot be read \(Permission denied\): check its permissions$"):
        one(folder / "disk")


def test_what_the_file_system_keeps_at_the_top_of_a_disk_is_no_machine(tmp_path, unreadable):
    disk = write(tmp_path / "disk", *MIMII)
    (disk / "lost+found").mkdir()
    unreadable.add("lost+found")
    assert list(one(disk).machines) == ["fan", "pump"]


def test_a_machine_of_the_challenge_is_not_told_to_name_its_training(tmp_path):
    write(tmp_path / "fan", "train/section_00_source_train_normal_0000_noAttribute.wav", "test/section_00_0000.wav")
    with pytest.raises(AsdError, match=r"fan contains no machine: expected <machine>/train/\*.wav and"):
        one(tmp_path / "fan")


def test_all_unusable_names_of_folders_are_named_at_once(tmp_path):
    write(tmp_path / "plant", "Lüfter 1/train/a.wav", "my fan/train/a.wav", "pump/train/a.wav", "pump/test/b.wav")
    with pytest.raises(AsdError, match=r"Luefter_1 for Lüfter 1, my_fan for my fan$"):
        one(tmp_path / "plant")


def test_layouts_may_stand_side_by_side(tmp_path):
    make_machine(tmp_path / "mixed" / "fan", train=1, target=1, test=1, seconds=0.1)
    write(tmp_path / "mixed", "pump/train/good/a.wav", "pump/test/good/b.wav", "pump/test/squeaky/c.wav")
    chosen = one(tmp_path / "mixed")
    assert {machine: chosen.layout(machine) for machine in chosen.machines} == {"fan": "challenge", "pump": "mvtec"}
    assert None not in {chosen.fingerprint("fan"), chosen.fingerprint("pump")}
    assert "pump/test: good 1 normal, squeaky 1 anomaly" in chosen.understood


def test_the_challenge_s_layout_says_nothing(tmp_path):
    make_machine(tmp_path / "mine" / "fan", train=1, target=1, test=1, seconds=0.1)
    assert one(tmp_path / "mine").understood == ()


def test_a_block_chooses_machines_and_share(tmp_path):
    write(tmp_path / "mimii", *MIMII, "broken/train/squeaky/a.wav", "broken/train/a.wav")
    block = {"folder": str(tmp_path / "mimii"), "machines": ["pump"], "test_share": 0.5}
    chosen = one("own", own=block)
    assert chosen.machines == {"pump": ("00", "02")}
    assert chosen.own["pump"].counts == {"train": 4, "test": 4}


@pytest.fixture
def table(tmp_path):
    write(tmp_path / "wavs", *(f"{machine}_{number}.wav" for machine in ("fan", "pump") for number in range(4)))
    rows = [f"wavs/{machine}_{number}.wav,{machine},{number % 2}" for machine in ("fan", "pump") for number in range(4)]
    path = tmp_path / "plant.csv"
    path.write_text("\n".join(["file,machine,speed", *rows, ""]))
    return path


def test_a_table(table):
    chosen = one(table)
    assert (chosen.name, chosen.machines) == ("plant", {"fan": ("00",), "pump": ("00",)})
    assert chosen.recordings("fan") == table
    assert one("own", own={"folder": str(table), "machines": ["fan"]}).machines == {"fan": ("00",)}
    with pytest.raises(AsdError, match=r"datasets\.own\.folder: .*plant\.csv: has no machine valve: use one of: fan,"):
        one("own", own={"folder": str(table), "machines": ["valve"]})
    table.write_text(table.read_text().replace(",fan,", ",a fan,"))
    with pytest.raises(AsdError, match=r"a fan: not a usable machine name: use .*, for example a_fan"):
        one(table)
    table.write_text(table.read_text().replace(",pump,", ",Prüfstand,"))
    allowed = r"use up to 100 letters a to z without accents, digits and \._\+-, no spaces \(not 'all'\)"
    said = rf"plant\.csv: 2 machines have names that cannot be used: {allowed}, for example"
    with pytest.raises(AsdError, match=f"{said} Pruefstand for Prüfstand, a_fan for a fan$"):
        one(table)


def test_a_change_of_the_table_or_a_file_concerns_the_machines_of_those_rows(table):
    before = {machine: one(table).fingerprint(machine) for machine in ("fan", "pump")}
    os.utime(table)
    assert {machine: one(table).fingerprint(machine) for machine in before} == before
    table.write_text(table.read_text().replace("fan_0.wav,fan,0", "fan_0.wav,fan,7"))
    after = {machine: one(table).fingerprint(machine) for machine in before}
    assert (after["fan"] != before["fan"], after["pump"]) == (True, before["pump"])
    os.utime(table.parent / "wavs" / "pump_0.wav", ns=(0, 1))
    assert (one(table).fingerprint("fan"), one(table).fingerprint("pump") == before["pump"]) == (after["fan"], False)


@pytest.mark.parametrize("form", ["table", "folder"])
def test_a_link_to_nothing_is_left_to_the_job_that_reads_it(table, tmp_path, form):
    data = table if form == "table" else write(tmp_path / "mimii", *MIMII)
    chosen = one(data)
    machine = next(iter(chosen.machines))
    path = chosen.own[machine].clips[0].path
    before = chosen.fingerprint(machine)
    path.unlink()
    path.symlink_to("nowhere.wav")
    assert one(data).fingerprint(machine) != before


@pytest.mark.parametrize("form", ["table", "folder"])
def test_prepare_makes_the_clips_that_were_counted(table, tmp_path, form):
    data = table if form == "table" else write(tmp_path / "mimii", *MIMII)
    chosen = one("own", own={"folder": str(data), "test_share": 0.5})
    for machine, sections in chosen.machines.items():
        own = {"layout": chosen.layout(machine), "test_share": chosen.test_share, "sections": list(sections)}
        out = tmp_path / f"{machine}.parquet"
        prepare(chosen.recordings(machine), "own", machine, out, typed(PrepareSettings, PREPARE | own))
        clips = ClipTable(out).clips()
        assert [clip.source_file for clip in chosen.own[machine].clips] == clips.column("source_file").to_pylist()
        assert set(clips.column("domain").to_pylist()) == {"source"}
    if form == "table":
        assert clips.column("attributes").to_pylist()[0] == [("speed", "0")]


def test_a_column_like_a_label_is_doubted_at_the_start_of_a_run(tmp_path, capsys):
    write(tmp_path, *(f"{number}.wav" for number in range(4)))
    rows = [f"{number}.wav,{machine},{('OK', 'NOK')[number % 2]}" for number, machine in enumerate("aabb")]
    (tmp_path / "clips.csv").write_text("\n".join(["file,machine,Zustand", *rows]))
    Graph(read_config([], [f"data={tmp_path}/clips.csv"]), Path()).say_how_data_is_understood()
    lines = capsys.readouterr().err.splitlines()
    assert f"{tmp_path}/clips.csv: attributes: Zustand (NOK, OK)" in lines
    assert len([line for line in lines if line.startswith(f"Warning: {tmp_path}/clips.csv: column Zustand ")]) == 1
