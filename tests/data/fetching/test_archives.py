"""Tests of unpacking valid and hostile archives."""

import io
import random
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from asdlib.data.fetching.archives import Limits, unpack
from asdlib.errors import AsdError

FAN = {"fan/train/a.wav": b"a" * 500, "fan/test/b.wav": b"b" * 500, "fan/attributes_00.csv": b"file_name\n"}


def packed(path: Path, members: dict[str, bytes], **options) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_machine_folder_is_stripped(tmp_path):
    names = unpack(packed(tmp_path / "dev_fan.zip", FAN), tmp_path / "out", strip="fan")
    assert names == ["attributes_00.csv", "test/b.wav", "train/a.wav"]
    assert content(tmp_path / "out") == {name.removeprefix("fan/"): value for name, value in FAN.items()}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"train/a.wav": b"1"}, ["train/a.wav"]),
        ({"dev/fan/train/a.wav": b"1"}, ["train/a.wav"]),
        ({"fan/a.wav": b"1"}, ["a.wav"]),
        ({"fan/train/a.wav": b"1", "readme.txt": b"2"}, ["readme.txt", "train/a.wav"]),
    ],
)
def test_other_layouts(tmp_path, members, expected):
    assert unpack(packed(tmp_path / "a.zip", members), tmp_path / "out", strip="fan") == expected


def test_litter_of_a_mac_and_empty_folders_are_skipped(tmp_path):
    litter = {
        "__MACOSX/fan/._a.wav": b"x",
        "fan/.DS_Store": b"x",
        "fan/test/._b.wav": b"x",
        "fan/empty/": b"",
    }
    unpack(packed(tmp_path / "a.zip", FAN | litter), tmp_path / "out", strip="fan")
    assert len(content(tmp_path / "out")) == len(FAN)
    assert not (tmp_path / "out/empty").exists()


def test_two_archives_merge_into_one_folder(tmp_path):
    table = {"fan/attributes_00.csv": b"file_name\n"}  # in both, and equal
    train = packed(tmp_path / "train.zip", {"fan/train/a.wav": b"1"} | table)
    test = packed(tmp_path / "test.zip", {"fan/test/b.wav": b"2"} | table)
    for archive in (train, test):
        unpack(archive, tmp_path / "fan", strip="fan")
    assert set(content(tmp_path / "fan")) == {"train/a.wav", "test/b.wav", "attributes_00.csv"}
    assert not list(tmp_path.rglob(".unpack*"))


def test_a_file_that_differs_is_not_replaced(tmp_path):
    unpack(packed(tmp_path / "1.zip", {"a.wav": b"1", "b.wav": b"1"}), tmp_path / "out")
    with pytest.raises(AsdError, match=r"2.zip: a.wav differs from the one already in"):
        unpack(packed(tmp_path / "2.zip", {"a.wav": b"2", "c.wav": b"2"}), tmp_path / "out")
    assert content(tmp_path / "out") == {"a.wav": b"1", "b.wav": b"1"}


def raw_name(path: Path, placeholder: str, name: bytes) -> Path:
    """Write a name that zipfile would sanitise, over a placeholder of the same length."""
    assert len(placeholder) == len(name)
    packed(path, {placeholder: b"x"})
    path.write_bytes(path.read_bytes().replace(placeholder.encode(), name))
    return path


def with_mode(path: Path, mode: int) -> Path:
    info = zipfile.ZipInfo("train/a.wav")
    info.external_attr = mode << 16
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(info, "/etc/passwd")
    return path


def duplicated(path: Path) -> Path:
    packed(path, {"train/a.wav": b"1", "train/b.wav": b"2"})
    path.write_bytes(path.read_bytes().replace(b"train/b.wav", b"train/a.wav"))
    return path


def encrypted(path: Path) -> Path:
    data = bytearray(packed(path, {"a.wav": b"1"}).read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(bytes(data))
    return path


def flipped(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.wav", b"the samples")
    path.write_bytes(path.read_bytes().replace(b"the samples", b"THE samples"))
    return path


def lying_about_size(path: Path) -> Path:
    """Write an archive whose directory states 10 bytes for a member of a megabyte."""
    data = bytearray(packed(path, {"a.wav": bytes(1 << 20)}).read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    path.write_bytes(bytes(data))
    return path


def truncated(path: Path) -> Path:
    data = packed(path, FAN).read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    return path


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


HOSTILE = {
    "absolute": (lambda path: packed(path, {"/tmp/a.wav": b"x"}), "absolute"),
    "up": (lambda path: packed(path, {"../a.wav": b"x"}), "leaves its folder"),
    "up, deeper": (lambda path: packed(path, {"fan/../../a.wav": b"x"}), "leaves its folder"),
    "up, after the machine": (lambda path: packed(path, {"fan/..": b"x"}), "leaves its folder"),
    "drive": (lambda path: packed(path, {"C:/a.wav": b"x"}), "another operating system"),
    "backslash": (lambda path: packed(path, {"..\\a.wav": b"x"}), "another operating system"),
    "NUL": (lambda path: raw_name(path, "a.wav!.exe", b"a.wav\0.exe"), "control character"),
    "newline": (lambda path: packed(path, {"a\nb.wav": b"x"}), "control character"),
    "DEL": (lambda path: packed(path, {"a\x7fb.wav": b"x"}), "control character"),
    "symlink": (lambda path: with_mode(path, stat.S_IFLNK | 0o777), "link or device"),
    "device": (lambda path: with_mode(path, stat.S_IFCHR | 0o666), "link or device"),
    "twice": (duplicated, "twice"),
    "twice, other case": (lambda path: packed(path, {"A.wav": b"1", "a.WAV": b"2"}), "twice"),
    "file and folder": (lambda path: packed(path, {"a": b"1", "a/b.wav": b"2"}), "both a file and a folder"),
    "file and folder of a folder": (
        lambda path: packed(path, {"a": b"1", "a/b/c.wav": b"2"}),
        "'a' is both a file",
    ),
    "encrypted": (encrypted, "encrypted"),
    "empty": (lambda path: packed(path, {}), "no files"),
    "wrong CRC": (flipped, "damaged.*CRC"),
    "lying about a size": (lying_about_size, "damaged"),
    "truncated": (truncated, "damaged"),
    "no zip": (lambda path: written(path, b"<html>Too many requests</html>"), "damaged"),
    "nothing": (lambda path: written(path, b""), "damaged"),
}


@pytest.mark.parametrize(("build", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_archives_leave_nothing(tmp_path, build, message):
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    archive = build(inside / "bad.zip")
    with pytest.raises(AsdError, match=message) as caught:
        unpack(archive, inside / "out", strip="fan")
    assert "bad.zip" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]
    assert not (inside / "out").exists()


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(members=2), "bomb.zip: has 3 members, at most 2 are allowed"),
        (Limits(size=1000), "at most 1000"),
        (Limits(ratio=1.5, free=100), "times its size"),
    ],
)
def test_bombs(tmp_path, limits, message):
    with pytest.raises(AsdError, match=f"{message}.*: not a DCASE archive, remove it$"):
        unpack(packed(tmp_path / "bomb.zip", FAN), tmp_path / "out", limits=limits)
    assert not (tmp_path / "out").exists()


def test_the_default_limits_stop_a_bomb(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.wav", bytes(80 << 20))
    with pytest.raises(AsdError, match="times its size"):
        unpack(written(tmp_path / "bomb.zip", inner.getvalue()), tmp_path / "out")


def test_random_damage_ends_in_a_plain_message_or_the_right_files(tmp_path):
    dice = random.Random(1)
    whole = packed(tmp_path / "a.zip", FAN).read_bytes()
    for trial in range(200):
        data = bytearray(whole)
        for _ in range(3):
            data[dice.randrange(len(data))] = dice.randrange(256)
        out = tmp_path / f"out{trial}"
        try:
            unpack(written(tmp_path / "a.zip", bytes(data)), out)
        except AsdError:
            assert not out.exists()
        else:
            assert all(path.is_relative_to(out) for path in out.rglob("*"))
            assert set(content(out).values()) <= set(FAN.values())
