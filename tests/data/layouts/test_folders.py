"""Layouts of folders: how they are recognised, and what the names of folders say."""

from pathlib import Path

import pytest

from asdlib.data.layouts.folders import (
    ANOMALOUS,
    FLAT,
    FORMS,
    MIMII,
    MVTEC,
    NORMAL,
    UNKNOWN,
    is_flat_folder,
    lacks_train,
    layout_of,
    read_folder,
)
from asdlib.data.layouts.machine_clips import read_clips
from asdlib.data.layouts.meanings import meanings
from asdlib.errors import AsdError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


CHALLENGE = "section_00_source_train_normal_0000_noAttribute.wav"
LAYOUTS = {
    "challenge": ("challenge", f"train/{CHALLENGE}", "test/section_00_0000.wav"),
    "challenge in capitals": ("challenge", f"Train/{CHALLENGE}", "Test/section_00_0000.wav"),
    "challenge with one wrong name": ("challenge", f"train/{CHALLENGE}", "train/my.wav", "test/my.wav"),
    "challenge of 2020": ("challenge", "train/normal_id_00_00000000.wav", "test/a.wav"),
    "challenge of 2021": ("challenge", "train/a.wav", "source_test/a.wav"),
    "without training clips": ("challenge", "test/a.wav"),
    "mimii": ("mimii", "id_00/normal/0.wav", "id_00/abnormal/0.wav"),
    "mimii with other names": ("mimii", "id_00/OK/0.wav", "id_00/anomaly/0.wav"),
    "mimii with anomalies alone": ("mimii", "id_00/NG/0.wav"),
    "mimii with noise and notes": ("mimii", "id_00/normal/0.wav", "noise/0.wav", "notes/a.txt"),
    "ids without a known name": (None, "id_00/a/0.wav"),
    "mvtec": ("mvtec", "train/good/0.wav", "test/good/0.wav", "test/squeaky/0.wav"),
    "names of one's own": ("mvtec", "train/0.wav", "test/1.flac"),
    "flat": ("flat", "normal/0.wav", "judge/0.wav"),
    "an empty normal folder": (None, "normal/0.txt", "judge/0.wav"),
    "something else": (None, "a/0.wav", "b/0.wav"),
}


@pytest.mark.parametrize("case", LAYOUTS.values(), ids=LAYOUTS)
def test_layouts_are_recognised(tmp_path, case):
    layout, *names = case
    assert layout_of(touch(tmp_path, *names)) == layout


def test_a_folder_of_recordings_alone(tmp_path):
    assert is_flat_folder(touch(tmp_path, "a.wav", "notes.txt"))
    assert not is_flat_folder(touch(tmp_path, "inner/a.wav"))


def known(folder: Path, layout: str) -> list[tuple]:
    return [
        (clip.source_file.removeprefix("fan/"), clip.section, clip.label, clip.attributes)
        for clip in read_clips(folder, "fan", layout, 0.2)
    ]


def test_mimii(tmp_path):
    normal = [f"id_{unit}/normal/{number:08d}.wav" for unit in ("00", "02") for number in range(5)]
    touch(tmp_path, *normal, "id_00/abnormal/00000000.wav", "id_02/abnormal/00000000.wav", "README", "other/a.wav")
    clips = known(tmp_path, "mimii")
    assert [row[0] for row in clips if row[0].startswith("test")] == [
        "test/id_00__abnormal__00000000.wav",
        "test/id_00__normal__00000004.wav",
        "test/id_02__abnormal__00000000.wav",
        "test/id_02__normal__00000004.wav",
    ]
    assert {row[1] for row in clips} == {"00", "02"}
    assert sum(row[2] == "normal" for row in clips) == 10


@pytest.mark.parametrize(("words", "label"), [(NORMAL, "normal"), (ANOMALOUS, "anomaly")], ids=["normal", "anomaly"])
def test_mimii_knows_the_names_of_the_other_layouts_and_prints_them(tmp_path, words: tuple[str, ...], label: str):
    touch(tmp_path, "id_00/normal/0.wav", "id_00/normal/1.wav", "id_00/tuesday/0.wav")
    touch(tmp_path, *(f"id_00/{word.upper()}/{number}.wav" for word in words for number in "23"))
    found = [row for row in known(tmp_path, "mimii") if "__normal__" not in row[0]]
    assert [row[2] for row in found] == [label] * 2 * len(words)
    assert [word for word in words if word not in FORMS[MIMII]] == []


def test_a_machine_of_mvtec_without_its_training(tmp_path):
    assert lacks_train(touch(tmp_path / "a", "test/good/0.wav", "test/leak/0.wav"))
    assert not lacks_train(touch(tmp_path / "b", "test/0.wav"))
    assert not lacks_train(touch(tmp_path / "c", "test/good/0.wav", "train/0.wav"))


def test_mvtec(tmp_path):
    names = ["train/good/0.wav", "train/1.wav", "test/good/2.wav", "test/bad/3.wav", "test/Squeaky/4.wav"]
    touch(tmp_path, *names, "test/5.wav", "test/new/6.wav", "noise/7.wav")
    assert known(tmp_path, "mvtec") == [
        ("train/train__1.wav", "00", "normal", {}),
        ("train/train__good__0.wav", "00", "normal", {}),
        ("test/test__5.wav", "00", None, {}),
        ("test/test__Squeaky__4.wav", "00", "anomaly", {"anomaly": "Squeaky"}),
        ("test/test__bad__3.wav", "00", "anomaly", {}),
        ("test/test__good__2.wav", "00", "normal", {}),
        ("test/test__new__6.wav", "00", None, {}),
        ("supplemental/noise__7.wav", "00", None, {}),
    ]
    with pytest.raises(AsdError, match=r"train/squeaky: is in train/ and not named as normal \(.*\): move or rename"):
        list(read_folder(touch(tmp_path, "train/squeaky/0.wav"), "fan", "mvtec"))


@pytest.mark.parametrize(("words", "label"), [(NORMAL, "normal"), (UNKNOWN, None)], ids=["normal", "to be judged"])
def test_the_printed_rule_names_every_folder_that_is_no_anomaly(tmp_path, words: tuple[str, ...], label: str | None):
    touch(tmp_path, "train/0.wav", *(f"test/{word}/0.wav" for word in words))
    tested = [row for row in known(tmp_path, "mvtec") if row[0].startswith("test")]
    assert [row[2] for row in tested] == [label] * len(words)
    assert [word for word in words if word not in FORMS[MVTEC]] == []


@pytest.mark.parametrize("words", [NORMAL, ANOMALOUS, UNKNOWN], ids=["normal", "anomalies", "to be judged"])
def test_the_documents_name_every_folder(words: tuple[str, ...]) -> None:
    page = (Path(__file__).parents[3] / "docs/own_data.md").read_text()
    assert f"| {', '.join(f'`{word}`' for word in words)} |" in page


def said(folder: Path, layout: str) -> list[str]:
    return meanings(list(read_folder(folder, "Presse", layout)), "Presse", layout)


def test_what_each_folder_was_taken_for_in_mvtec(tmp_path):
    good = [f"test/OK/{number}.wav" for number in range(3)]
    touch(tmp_path, "train/0.wav", *good, "test/i.O./0.wav", "test/to_judge/0.wav", "test/to_judge/1.wav", "test/0.wav")
    touch(tmp_path, "test/bent/0.wav", "test/NIO/0.wav", "test/NIO/1.wav", "noise/0.wav")
    (line,) = said(tmp_path, MVTEC)
    head, *parts = line.replace(": ", ", ", 1).split(", ")
    assert head == "Presse/test"
    assert sorted(parts) == [
        "NIO 2 anomalies",
        "OK 3 normal",
        "bent 1 anomaly",
        "directly in it 1 without a label",
        "i.O. 1 normal",
        "to_judge 2 without a label",
    ]


def test_what_each_folder_was_taken_for_in_flat(tmp_path):
    touch(tmp_path, "Gut/0.wav", "Gut/1.wav", "NOK/0.wav", "Defekt/0.wav", "tuesday/0.wav", "noise/0.wav", "2.wav")
    (line,) = said(tmp_path, FLAT)
    assert sorted(line.removeprefix("Presse: ").split(", ")) == [
        "Defekt 1 anomaly",
        "Gut 2 normal",
        "NOK 1 anomaly",
        "directly in it 1 normal",
        "noise 1 noise",
        "tuesday 1 without a label",
    ]


def test_nothing_is_said_where_no_name_of_a_folder_decides(tmp_path):
    assert said(touch(tmp_path / "a", "0.wav", "1.wav"), FLAT) == []
    assert said(touch(tmp_path / "b", "train/0.wav"), MVTEC) == []
    assert said(touch(tmp_path / "c", "id_00/normal/0.wav", "id_00/abnormal/0.wav"), "mimii") == []


def test_flat(tmp_path):
    touch(tmp_path, *(f"normal/rec{number}.wav" for number in range(4)), "abnormal/a.wav", "tuesday/b.wav")
    clips = known(tmp_path, "flat")
    assert [row[0] for row in clips] == [
        "train/normal__rec0.wav",
        "train/normal__rec1.wav",
        "train/normal__rec2.wav",
        "test/abnormal__a.wav",
        "test/normal__rec3.wav",
        "test/tuesday__b.wav",
    ]
    assert [row[2] for row in clips] == ["normal"] * 3 + ["anomaly", "normal", None]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [("AAAAABBBBBCCCCCDDDDD", "D0 D1 D2 D3 D4"), ("AAAAABBBBB", "B0 B1 B2 B3 B4"), ("AAAABBBBBB", "B4 B5")],
    ids=["the last", "half of all", "more than half"],
)
def test_pieces_of_a_recording_are_held_out_together(tmp_path, pieces, expected):
    """Unless more than half of all clips would be tested, because names tell little about sessions."""
    names = [f"rec{one}_{pieces[:at].count(one):03d}.wav" for at, one in enumerate(pieces)]
    held = [row[0] for row in known(touch(tmp_path, *names), "flat") if row[0].startswith("test")]
    assert held == [f"test/rec{piece[0]}_{int(piece[1]):03d}.wav" for piece in expected.split()]


def test_names_are_ordered_as_people_do(tmp_path):
    held = [row[0] for row in known(touch(tmp_path, "9.wav", "10.wav", "8.wav"), "flat") if row[0].startswith("test")]
    assert held == ["test/10.wav"]
