"""Tests of clip tables: round trip, reproducible bytes, and reading no more than requested."""

import io
import re
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asdlib.data import tables
from asdlib.data.tables import CLIP_FIELDS, ROWS, ClipTable, clip_rows, write_same_rows, writing
from asdlib.errors import AsdError

COUNTS = {"train": 70, "test": 40, "noise": 3}  # more than one row group, and a last one that is not full


def rows(kind: str, count: int) -> list[dict]:
    """Return the metadata of clips; every optional field is missing in some row."""
    return [
        {
            "clip": f"{kind}_{number:04d}",
            "section": "00",
            "domain": None if kind == "noise" else ("source", "target")[number % 2],
            "split": kind if kind in ("train", "test") else "supplemental",
            "label": None if kind == "noise" else "normal",
            "attributes": {"spd": str(number), "mic": "a"} if number % 3 else {},
            "kind": kind,
            "samples": 90 + number,
            "recorded_samples": 100 + number,
            "frames": None,
            "source_file": f"fan/{kind}/{kind}_{number:04d}.wav",
        }
        for number in range(count)
    ]


def content(counts: dict[str, int], dtype: str, shape: tuple[int, ...], seed: int = 0):
    rng = np.random.default_rng(seed)
    return {
        kind: (clip_rows(rows(kind, count)), (1000 * rng.standard_normal((count, *shape))).astype(dtype))
        for kind, count in counts.items()
    }


def write(path: Path, dtype="int16", shape=(100,), counts=COUNTS, seed=0, recipe=None) -> dict:
    made = content(counts, dtype, shape, seed)
    with writing(path, recipe or {"name": "toy"}, {"note": 1}, values=(dtype, shape)) as table:
        for clips, values in made.values():
            table.write(clips, values=values)
    return made


@pytest.mark.parametrize("shape", [(100,), (7, 5), (1,)])
@pytest.mark.parametrize("dtype", ["int16", "float32", "float16", "float64"])
def test_round_trip(tmp_path, dtype, shape):
    made = write(tmp_path / "a.parquet", dtype, shape)
    table = ClipTable(tmp_path / "a.parquet")
    assert table.tensors == {"values": shape}
    assert (table.recipe, table.notes) == ({"name": "toy"}, {"note": 1})
    clips, values = table.load("values")
    assert clips.schema.equals(CLIP_FIELDS)
    assert clips.equals(pa.concat_tables([clips for clips, _ in made.values()]))
    assert values.dtype == dtype
    assert values.tobytes() == b"".join(values.tobytes() for _, values in made.values())


def test_metadata_stand_before_the_tensors_and_audio_shrinks(tmp_path):
    write(tmp_path / "a.parquet", "int16", (16000,))
    schema = pq.read_schema(tmp_path / "a.parquet")
    assert schema.names == [*CLIP_FIELDS.names, "values"]
    assert (tmp_path / "a.parquet").stat().st_size < 0.9 * 2 * 16000 * sum(COUNTS.values())


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in "ab":
        write(tmp_path / name, recipe={"x": 1, "y": 2} if name == "a" else {"y": 2, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_digest_follows_the_content_and_not_the_recipe(tmp_path):
    def digest(**changed) -> str:
        write(tmp_path / "a.parquet", **changed)
        return ClipTable(tmp_path / "a.parquet").digest

    first = digest()
    assert digest(recipe={"name": "other"}) == first
    others = [digest(seed=1), digest(counts={**COUNTS, "noise": 2}), digest(shape=(10, 10)), digest(dtype="uint16")]
    assert len({first, *others}) == 5


def test_row_groups_hold_one_kind(tmp_path):
    write(tmp_path / "a.parquet")
    file = pq.ParquetFile(tmp_path / "a.parquet")
    kinds = [
        file.read_row_group(group, columns=["kind"]).column("kind").to_pylist() for group in range(file.num_row_groups)
    ]
    assert [set(group) for group in kinds] == [{"train"}] * 3 + [{"test"}] * 2 + [{"noise"}]
    assert max(map(len, kinds)) == ROWS


def test_batches_are_row_groups_in_order_and_read_only(tmp_path):
    made = write(tmp_path / "a.parquet")
    batches = list(ClipTable(tmp_path / "a.parquet").batches("values", "test", "noise"))
    assert [len(values) for _, values in batches] == [32, 8, 3]
    np.testing.assert_array_equal(
        np.concatenate([values for _, values in batches]), np.concatenate([made["test"][1], made["noise"][1]])
    )
    assert not any(values.flags.writeable for _, values in batches)


def test_kinds_that_are_not_there(tmp_path):
    write(tmp_path / "a.parquet")
    table = ClipTable(tmp_path / "a.parquet")
    assert (table.count("clean"), table.count("noise"), table.count()) == (0, 3, 113)
    assert len(table.clips("clean")) == 0
    with pytest.raises(AsdError, match=r"a\.parquet: contains no clean clips: check the dataset"):
        table.load("values", "clean")
    write(tmp_path / "empty.parquet", counts={})
    assert ClipTable(tmp_path / "empty.parquet").clips().schema.equals(CLIP_FIELDS)
    with pytest.raises(AsdError, match=r"empty\.parquet: contains no clips: check"):
        ClipTable(tmp_path / "empty.parquet").load("values")


class CountingFile(io.FileIO):
    """A file that counts the bytes read from it."""

    count = 0

    def read(self, size=-1):
        data = super().read(size)
        self.count += len(data)
        return data


@contextmanager
def counted(path: Path, monkeypatch):
    """Open a table on a file that counts the bytes read."""
    with CountingFile(path) as handle, monkeypatch.context() as patch:
        patch.setattr(tables.pq, "ParquetFile", lambda _, **options: original(handle, **options))
        yield ClipTable(path), handle


original = pq.ParquetFile


def test_metadata_are_read_without_any_tensor(tmp_path, monkeypatch):
    write(tmp_path / "a.parquet", "float32", (20000,))
    with counted(tmp_path / "a.parquet", monkeypatch) as (table, handle):
        assert len(table.clips()) == sum(COUNTS.values())
    tensors = 4 * 20000 * sum(COUNTS.values())
    assert handle.count < 0.02 * tensors


def test_reading_training_clips_touches_no_other_clip(tmp_path, monkeypatch):
    made = write(tmp_path / "a.parquet", "float32", (20000,))
    with counted(tmp_path / "a.parquet", monkeypatch) as (table, handle):
        _, values = table.load("values", "train")
    np.testing.assert_array_equal(values, made["train"][1])
    assert values.nbytes < handle.count < 1.02 * values.nbytes


def test_loading_needs_the_array_and_a_few_row_groups(tmp_path):
    counts = {"train": 20 * ROWS}
    write(tmp_path / "a.parquet", "float32", (5000,), counts)
    array, group = 4 * 5000 * counts["train"], 4 * 5000 * ROWS
    usual = pa.default_memory_pool()
    pool = pa.proxy_memory_pool(usual)
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        ClipTable(tmp_path / "a.parquet").load("values", "train")
        numpy_peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(usual)
    assert array < numpy_peak < array + 2 * group
    assert pool.max_memory() < 6 * group, "encoded and decoded bytes of the current and the previous row group"


WRONG = {
    "dtype": (np.zeros((2, 100), np.float32), "float32.* does not fit"),
    "shape": (np.zeros((2, 99), np.int16), r"\(2, 99\) does not fit"),
    "no clip dimension": (np.zeros(100, np.int16), "does not fit"),
    "number of clips": (np.zeros((3, 100), np.int16), "[lL]ength"),
}


@pytest.mark.parametrize(("values", "problem"), WRONG.values(), ids=WRONG)
def test_wrong_tensors_are_refused_and_leave_no_file(tmp_path, values, problem):
    path = tmp_path / "a.parquet"
    with pytest.raises(ValueError, match=problem), writing(path, {}, values=("int16", (100,))) as table:
        table.write(clip_rows(rows("train", 2)), values=values)
    assert not list(tmp_path.iterdir())


def test_clips_of_several_kinds_in_one_piece_are_refused(tmp_path):
    mixed = clip_rows(rows("train", 1) + rows("test", 1))
    with (
        pytest.raises(ValueError, match="several kinds"),
        writing(tmp_path / "a.parquet", {}, values=("int16", (2,))) as table,
    ):
        table.write(mixed, values=np.zeros((2, 2), np.int16))


def flipped(data: bytes) -> bytes:
    """Flip one bit at a third of the file, in the tensors of a training row group."""
    index = len(data) // 3
    return data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]


DAMAGE = {
    "empty": lambda data: b"",
    "garbage": lambda data: b"not a table at all" * 100,
    "truncated": lambda data: data[: len(data) // 2],
    "only its end": lambda data: data[-2000:],
    "one bit": flipped,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_files_are_refused_in_one_line(tmp_path, damage):
    path = tmp_path / "a.parquet"
    write(path, "float32", (2000,))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(AsdError, match=r"^[^\n]*a\.parquet: is (damaged|not a whole Parquet file)[^\n]*: delete it and run again$"):  # fmt: skip  # noqa: E501
        ClipTable(path).load("values", "train")


DAMAGED = r"^[^\n]*a\.parquet: is (damaged|not a whole Parquet file|not a clip table)[^\n]*: delete it and run again$"


@pytest.mark.parametrize("bits", [0x01, 0x80, 0xFF])
def test_no_wrong_byte_of_the_footer_is_taken_for_content(tmp_path, bits):
    """The parser itself would hide rows after some of these errors, and abort the process after others."""
    path = tmp_path / "a.parquet"
    write(path, "float32", (8,), {"train": 40, "test": 20})
    data = path.read_bytes()
    start = footer_of(data) - 31  # of the digest in front of the footer
    for index in {*range(start, len(data), 16), *range(start, start + 40), *range(len(data) - 8, len(data))}:
        path.write_bytes(data[:index] + bytes([data[index] ^ bits]) + data[index + 1 :])
        with pytest.raises(AsdError, match=DAMAGED):
            ClipTable(path)


def test_a_wrong_byte_before_the_footer_is_refused_or_harmless(tmp_path):
    path = tmp_path / "a.parquet"
    write(path, "float32", (8,), {"train": 40, "test": 20})
    data = path.read_bytes()
    clips, values = ClipTable(path).load("values")
    refused = 0
    for index in range(0, footer_of(data), 32):
        path.write_bytes(data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :])
        try:
            read, array = ClipTable(path).load("values")
        except AsdError as error:
            refused += bool(re.match(DAMAGED, str(error)))
            continue
        assert read.equals(clips)
        assert array.tobytes() == values.tobytes()
    assert refused > 0.9 * footer_of(data) / 32


def footer_of(data: bytes) -> int:
    """Return the place of a Parquet file's footer."""
    return len(data) - 8 - int.from_bytes(data[-8:-4], "little")


@pytest.mark.parametrize("other", [{"seed": 1}, {"counts": {**COUNTS, "train": 69}}])
def test_pages_of_another_table_are_refused(tmp_path, other):
    """As after a crash of a disk that had written a part of a file only: every page and the footer are whole."""
    path = tmp_path / "a.parquet"
    write(path, "float32", (100,), **other)
    strange = path.read_bytes()
    write(path, "float32", (100,))
    data = path.read_bytes()
    end = min(footer_of(data), footer_of(strange)) - 31
    path.write_bytes(strange[:end] + data[end:])
    with pytest.raises(AsdError, match=DAMAGED):
        ClipTable(path).load("values", "train")


def test_other_programs_read_a_clip_table(tmp_path):
    made = write(tmp_path / "a.parquet", "float32", (8,))
    frame = pd.read_parquet(tmp_path / "a.parquet")
    assert len(frame) == sum(COUNTS.values())
    np.testing.assert_array_equal(np.stack(frame["values"][:70]), made["train"][1])


def test_a_foreign_parquet_file_is_refused(tmp_path):
    pq.write_table(pa.table({"x": [1]}), tmp_path / "a.parquet")
    with pytest.raises(
        AsdError,
        match=r"a\.parquet: is not a clip table of this version, or is damaged .its footer has no digest.: delete it",
    ):
        ClipTable(tmp_path / "a.parquet")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(AsdError, match=r"gone\.parquet: is missing: run again"):
        ClipTable(tmp_path / "gone.parquet")


def test_a_table_can_share_the_rows_of_another(tmp_path):
    made = write(tmp_path / "raw" / "fan.parquet")
    raw = ClipTable(tmp_path / "raw" / "fan.parquet")
    write_same_rows(tmp_path / "separated" / "fan.parquet", raw, {"name": "view"}, {"separated": False})
    view = ClipTable(tmp_path / "separated" / "fan.parquet")
    assert (view.recipe, view.notes["separated"]) == ({"name": "view"}, False)
    assert (view.digest, view.tensors, view.count("train")) == (raw.digest, raw.tensors, 70)
    for kind, (clips, values) in made.items():
        found, array = view.load("values", kind)
        assert found.equals(clips)
        assert np.array_equal(array, values)
    tmp_path.joinpath("raw").rename(tmp_path / "moved")
    missing = r"separated/fan.parquet: .*/raw/fan.parquet, which has its rows, is missing: delete .*/separated/fan.parq"
    with pytest.raises(AsdError, match=missing):
        ClipTable(view.path)


def test_rows_that_have_changed_are_not_shared(tmp_path):
    write(tmp_path / "fan.parquet")
    write_same_rows(tmp_path / "view.parquet", ClipTable(tmp_path / "fan.parquet"), {}, {})
    write(tmp_path / "fan.parquet", seed=1)
    with pytest.raises(
        AsdError, match=r"view.parquet: .*fan.parquet has changed since: delete .*view.parquet and run again$"
    ):
        ClipTable(tmp_path / "view.parquet")


def test_damaged_rows_are_said_of_the_table_that_has_them(tmp_path):
    write(tmp_path / "fan.parquet")
    write_same_rows(tmp_path / "view.parquet", ClipTable(tmp_path / "fan.parquet"), {}, {})
    content = bytearray((tmp_path / "fan.parquet").read_bytes())
    content[len(content) // 4] ^= 1
    (tmp_path / "fan.parquet").write_bytes(content)
    with pytest.raises(AsdError, match=r"^\S*/fan.parquet: is damaged"):
        ClipTable(tmp_path / "view.parquet").load("values")
