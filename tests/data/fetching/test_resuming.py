"""A part is continued with bytes of the same file only: never half of one revision and half of another."""

import hashlib
import json
from pathlib import Path

import pytest
from helpers.hostile_server import HostileServer, Misdeed

from asdlib.data.fetching.http import fetch
from asdlib.data.fetching.partial import Part
from asdlib.data.fetching.retry import Retry
from asdlib.errors import AsdError

OLD = b"A" * 100_000
NEW = b"B" * 100_000
DATE = {"ETag": 'W/"weak"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}


@pytest.fixture
def cut(server: HostileServer, tmp_path: Path):
    """Return a function that leaves a part of OLD, and then publishes NEW at the same address."""

    def leave(headers: dict[str, str], *misdeeds: Misdeed) -> tuple[str, Path]:
        url, path = server.base + "/f.bin", tmp_path / "f.bin"
        server.files["/f.bin"], server.headers["/f.bin"] = OLD, headers
        server.misdeeds["/f.bin"] = [Misdeed(drop_after=60_000, nameless=not headers)]
        with pytest.raises(AsdError, match="gave up after 1 attempts"):
            fetch(url, path, retry=Retry(attempts=1, timeout=2.0))
        assert path.with_name("f.bin.part").read_bytes() == OLD[:60_000]
        server.files["/f.bin"] = NEW
        server.misdeeds["/f.bin"] = list(misdeeds)
        return url, path

    return leave


CHANGED = {"ETag": '"new"'}
CASES = {
    "the ETag is another one": ({"ETag": '"old"'}, CHANGED, []),
    "the date is another one": (DATE, {**DATE, "Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"}, []),
    "If-Range is ignored": ({"ETag": '"old"'}, CHANGED, [Misdeed(ignore_if_range=True)]),
    "the total is another one": (
        {"ETag": '"old"'},
        {"ETag": '"old"'},
        [Misdeed(headers={"Content-Range": "bytes 60000-89999/90000"})],
    ),
    "neither ETag nor date": ({}, {}, []),
    "a weak ETag alone": ({"ETag": 'W/"weak"'}, {"ETag": 'W/"weak"'}, []),
    "an ETag that is no header": ({"ETag": '"a\x7f"'}, {"ETag": '"a\x7f"'}, []),
}


@pytest.mark.parametrize(("before", "after", "misdeeds"), CASES.values(), ids=CASES)
def test_another_revision_at_the_same_address_is_fetched_whole(cut, server, retry, before, after, misdeeds):
    url, path = cut(before, *misdeeds)
    server.headers["/f.bin"] = after
    fetch(url, path, retry=retry)
    assert path.read_bytes() == NEW
    assert not list(path.parent.glob("f.bin.*"))


@pytest.mark.parametrize("headers", [{"ETag": '"same"'}, DATE])
def test_the_same_revision_is_continued(cut, server, retry, headers):
    url, path = cut(headers)
    server.files["/f.bin"] = OLD
    fetch(url, path, retry=retry)
    assert path.read_bytes() == OLD
    assert server.ranges("/f.bin") == [None, "bytes=60000-"]
    assert server.received[-1]["If-Range"] in headers.values()
    assert not server.received[-1]["If-Range"].startswith("W/")


def test_a_part_of_another_address_is_not_continued(cut, server, retry, caplog):
    caplog.set_level("INFO")
    _, path = cut({"ETag": '"same"'})
    server.files["/v2/f.bin"], server.headers["/v2/f.bin"] = NEW, {"ETag": '"same"'}
    fetch(server.base + "/v2/f.bin", path, retry=retry)
    assert path.read_bytes() == NEW
    assert server.ranges("/v2/f.bin") == [None]
    assert "f.bin.part: 60000 bytes are not continued; starting over" in caplog.text


def test_a_part_of_a_file_of_another_size_is_not_continued(cut, server, retry):
    url, path = cut({"ETag": '"same"'})
    server.files["/f.bin"] = NEW[:90_000]
    fetch(url, path, size=90_000, retry=retry)
    assert path.read_bytes() == NEW[:90_000]


def test_a_checksum_lets_a_nameless_file_be_continued(cut, server, retry):
    url, path = cut({})
    server.files["/f.bin"] = OLD
    server.misdeeds["/f.bin"] = [Misdeed(nameless=True)]
    fetch(url, path, checksum="md5:" + hashlib.md5(OLD).hexdigest(), retry=retry)
    assert server.ranges("/f.bin") == [None, "bytes=60000-"]


NOTES = {
    "missing": None,
    "empty": "",
    "a list": "[]",
    "deep": "[" * 100_000,
    "another form": '{"url": "x"}',
    "a validator that is no header": json.dumps({"size": 100_000, "validator": '"a"\r\nX-Evil: 1'}),
    "a date with a header behind it": json.dumps(
        {"size": 100_000, "validator": "Mon, 01 Jan 2024 00:00:00 GMT\r\nX-Evil: 1"}
    ),
    "a validator that is a number": json.dumps({"size": 100_000, "validator": 5}),
    "a size in words": json.dumps({"size": "many", "validator": '"a"'}),
}


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
def test_a_part_whose_note_cannot_be_read_is_not_continued(cut, server, retry, note):
    url, path = cut({"ETag": '"same"'})
    if note is None:
        path.with_name("f.bin.part.json").unlink()
    else:
        note = json.dumps({"address": url, **json.loads(note)}) if "size" in note else note
        path.with_name("f.bin.part.json").write_text(note)
    fetch(url, path, size=len(NEW), retry=retry)
    assert path.read_bytes() == NEW
    assert server.ranges("/f.bin") == [None, None]


@pytest.mark.parametrize("size", [1, 8191, 300_000])
def test_a_full_disk_is_not_taken_for_a_broken_connection(tmp_path: Path, size: int):
    """What a closing file still had to write failed a second time, with an OSError like that of a connection."""
    part = Part(tmp_path / "f.bin")
    part.path.symlink_to("/dev/full")
    with pytest.raises(AsdError, match=r"No space left on device.*free disk space"), part.resume() as handle:
        part.write(handle, b"x" * size)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path):
    (tmp_path / "f.bin.part").mkdir()
    said = r"f\.bin\.part: cannot be written \(Is a directory\): free disk space, or make the folder writable$"
    with pytest.raises(AsdError, match=said), Part(tmp_path / "f.bin").resume():
        pass
