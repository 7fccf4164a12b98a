"""Tests of downloads from a server that drops connections, lies and refuses."""

import errno
import hashlib
import io
import json
import shutil
import ssl
import subprocess
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from helpers.hostile_server import HostileServer, Misdeed

from asdlib.data.fetching import http
from asdlib.data.fetching.http import fetch, fetch_json
from asdlib.data.fetching.partial import Part
from asdlib.data.fetching.retry import Retry
from asdlib.data.fetching.transfer_progress import TransferProgress
from asdlib.errors import AsdError

BODY = bytes(range(256)) * 400  # 102,400 bytes
MD5 = "md5:" + hashlib.md5(BODY).hexdigest()
SIZE = len(BODY)


@pytest.fixture
def url(server: HostileServer) -> str:
    server.files["/f.zip"] = BODY
    return server.base + "/f.zip"


def part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


def leave_part(url: str, path: Path, data: bytes, **known) -> None:
    """Leave what a killed download of `url` leaves."""
    part_of(path).write_bytes(data)
    note = {"address": url, "size": SIZE, "validator": f'"{hashlib.md5(BODY).hexdigest()}"', **known}
    path.with_name(path.name + ".part.json").write_text(json.dumps(note))


def test_an_honest_file_arrives_in_one_request(server, url, retry, tmp_path):
    fetch(url, tmp_path / "f.zip", size=SIZE, checksum=MD5, retry=retry)
    assert (tmp_path / "f.zip").read_bytes() == BODY
    assert server.ranges("/f.zip") == [None]
    assert not part_of(tmp_path / "f.zip").exists()


@pytest.mark.parametrize("known", ["size and md5", "md5", "nothing"])
def test_dropped_connections_resume_where_they_stopped(server, url, retry, waits, tmp_path, known):
    server.misdeeds["/f.zip"] = [Misdeed(drop_after=30_000), Misdeed(drop_after=20_000)]
    size = SIZE if "size" in known else None
    fetch(url, tmp_path / "f.zip", size=size, checksum=MD5 if "md5" in known else None, retry=retry)
    assert (tmp_path / "f.zip").read_bytes() == BODY
    assert server.ranges("/f.zip") == [None, "bytes=30000-", "bytes=50000-"]
    assert len(waits) == 2


def test_a_part_of_an_earlier_run_is_completed(server, url, retry, tmp_path):
    leave_part(url, tmp_path / "f.zip", BODY[:70_000])
    fetch(url, tmp_path / "f.zip", size=SIZE, checksum=MD5, retry=retry)
    assert (tmp_path / "f.zip").read_bytes() == BODY
    assert server.ranges("/f.zip") == ["bytes=70000-"]
    assert not list(tmp_path.glob("f.zip.*"))


@pytest.mark.parametrize("size", [SIZE, None])
def test_a_complete_part_needs_no_more_bytes(url, retry, tmp_path, size):
    leave_part(url, tmp_path / "f.zip", BODY)  # as if killed before the rename; 416 if the size is unknown
    fetch(url, tmp_path / "f.zip", size=size, checksum=MD5, retry=retry)
    assert (tmp_path / "f.zip").read_bytes() == BODY


HARMLESS = {
    "ignores the range": Misdeed(ignore_range=True),
    "sends another range": Misdeed(wrong_range=True),
    "refuses the range": Misdeed(status=416),
    "429": Misdeed(status=429, headers={"Retry-After": "7"}),
    "503": Misdeed(status=503),
    "drops at once": Misdeed(drop_after=0),
    "claims too much": Misdeed(claim=SIZE + 5_000),
    "claims too little": Misdeed(claim=10_000),
}


@pytest.mark.parametrize("misdeed", HARMLESS.values(), ids=HARMLESS.keys())
@pytest.mark.parametrize("already", [0, 40_000])
def test_it_gets_the_file_in_spite_of_one_misdeed(server, url, retry, tmp_path, misdeed, already):
    if already:
        leave_part(url, tmp_path / "f.zip", BODY[:already])
    server.misdeeds["/f.zip"] = [misdeed]
    fetch(url, tmp_path / "f.zip", size=SIZE, checksum=MD5, retry=retry)
    assert (tmp_path / "f.zip").read_bytes() == BODY


@pytest.fixture
def certificate(server: HostileServer, tmp_path: Path) -> Path:
    """Let the server speak https, with a certificate that nobody has signed but itself."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("NOT CHECKED HERE: openssl is not installed")
    path = tmp_path / "certificate.pem"
    words = "req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -subj /CN=here"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "key.pem", "-out", path]
    subprocess.run([program, *words.split(), *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return path


def test_https_is_fetched_from_a_server_that_is_known(server, url, certificate, retry, tmp_path, monkeypatch):
    url = url.replace("http:", "https:")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    fetch(url, tmp_path / "f.zip", size=SIZE, checksum=MD5, retry=retry)
    assert (tmp_path / "f.zip").read_bytes() == BODY
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(AsdError, match=r"gave up after 4 attempts \(connection failed: .*certificate verify failed"):
        fetch(url, tmp_path / "g.zip", retry=retry)
    assert len(server.requests) == 1


def test_too_long_a_part_is_thrown_away(url, retry, tmp_path):
    leave_part(url, tmp_path / "f.zip", BODY + b"!")
    fetch(url, tmp_path / "f.zip", size=SIZE, checksum=MD5, retry=retry)
    assert (tmp_path / "f.zip").read_bytes() == BODY


WRONG = {
    "wrong bytes": (Misdeed(body=b"x" * SIZE), "checksum is md5:.*expected " + MD5),
    "too many bytes": (Misdeed(body=BODY + b"x" * 3_000_000), f"more than the {SIZE} bytes"),
}


@pytest.mark.parametrize(("misdeed", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_is_refused_and_leaves_nothing(server, url, retry, tmp_path, misdeed, message):
    server.misdeeds["/f.zip"] = [misdeed]
    with pytest.raises(AsdError, match=message) as caught:
        fetch(url, tmp_path / "f.zip", size=SIZE, checksum=MD5, retry=retry)
    assert "f.zip" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("f.zip*"))


def test_a_wrong_size_is_refused_without_a_checksum(url, retry, tmp_path):
    with pytest.raises(AsdError, match=r"f\.zip: size is 102400, expected 102401 bytes"):
        fetch(url, tmp_path / "f.zip", size=SIZE + 1, retry=retry)


def test_more_than_the_limit_is_never_written(server, url, retry, tmp_path):
    with pytest.raises(AsdError, match="more than the 1000 allowed"):
        fetch(url, tmp_path / "f.zip", limit=1000, retry=retry)
    assert not (tmp_path / "f.zip").exists()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 507, 509])
def test_a_server_that_is_busy_is_asked_again(server, url, retry, waits, tmp_path, status):
    server.misdeeds["/f.zip"] = [Misdeed(status=status)]
    fetch(url, tmp_path / "f.zip", size=SIZE, checksum=MD5, retry=retry)
    assert (tmp_path / "f.zip").read_bytes() == BODY
    assert len(waits) == 1


@pytest.mark.parametrize("status", [401, 403, 404, 410, 501])
def test_a_final_status_is_not_tried_again(server, url, retry, waits, tmp_path, status):
    server.misdeeds["/f.zip"] = [Misdeed(status=status)] * 2
    with pytest.raises(AsdError, match=f"f.zip: the server says {status}"):
        fetch(url, tmp_path / "f.zip", retry=retry)
    assert len(server.requests) == 1
    assert not waits


def test_patience_has_an_end_and_the_part_stays(server, url, retry, waits, tmp_path):
    server.misdeeds["/f.zip"] = [Misdeed(drop_after=30_000)] + [Misdeed(status=503)] * 9
    with pytest.raises(AsdError, match=r"gave up after 4 attempts \(HTTP 503"):
        fetch(url, tmp_path / "f.zip", size=SIZE, checksum=MD5, retry=retry)
    assert len(waits) == retry.attempts - 1
    assert part_of(tmp_path / "f.zip").read_bytes() == BODY[:30_000]


def test_progress_restores_patience(server, url, retry, tmp_path, monkeypatch):
    monkeypatch.setattr(http, "CHUNK", 10_000)
    server.misdeeds["/f.zip"] = [Misdeed(drop_after=10_000)] * 9
    fetch(url, tmp_path / "f.zip", size=SIZE, checksum=MD5, retry=retry)  # 9 drops, 4 attempts
    assert (tmp_path / "f.zip").read_bytes() == BODY


def test_waits_grow_with_jitter_up_to_the_longest():
    slept: list[float] = []
    patience = Retry(base=1.0, longest=10.0, sleep=slept.append)
    for failures in range(1, 7):
        patience.wait(failures, asked=0)
    for wait, middle in zip(slept, [1, 2, 4, 8, 16, 32], strict=True):
        assert min(0.5 * middle, 10) <= wait <= min(1.5 * middle, 10)


def test_the_first_wait_is_half_to_one_and_a_half_of_the_config_s():
    """So jobs whose downloads fail together do not ask the server together again."""
    slept: list[float] = []
    for _ in range(500):
        Retry(base=2.0, sleep=slept.append).wait(1, asked=0)
    assert 1.0 <= min(slept) < 1.1
    assert 2.9 < max(slept) <= 3.0


@pytest.mark.parametrize(("header", "low", "high"), [("7", 7, 7), ("date", 30, 60), ("soon", 0, 0.01)])
def test_retry_after_is_honoured(server, url, retry, waits, tmp_path, header, low, high):
    value = formatdate(time.time() + 60, usegmt=True) if header == "date" else header
    server.misdeeds["/f.zip"] = [Misdeed(status=429, headers={"Retry-After": value})]
    fetch(url, tmp_path / "f.zip", retry=retry)
    assert low <= waits[0] <= high


def test_nobody_listens(server, retry, tmp_path):
    server.server_close()
    with pytest.raises(AsdError, match=r"gave up after 4 attempts \(connection failed"):
        fetch(server.base + "/f.zip", tmp_path / "f.zip", retry=retry)


def test_a_full_disk_is_not_a_broken_connection(url, retry, waits, tmp_path, monkeypatch):
    class Full(io.BytesIO):
        def write(self, chunk):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Part, "resume", lambda part: Full())
    with pytest.raises(AsdError, match="No space left on device"):
        fetch(url, tmp_path / "f.zip", retry=retry)
    assert not waits


@pytest.mark.parametrize(("total", "said"), [(3 << 20, "f.zip: 2 of 3 MiB"), (None, "f.zip: 2 MiB")])
def test_a_log_says_how_much_has_arrived(monkeypatch, caplog, total, said):
    caplog.set_level("INFO")
    with TransferProgress("f.zip", total, 1 << 20) as progress:
        progress.add(1000)
        assert not caplog.messages
        monkeypatch.setattr(TransferProgress, "_EVERY", -1.0)
        progress.add((1 << 20) - 1000)
    assert caplog.messages == [said]


def test_json(server, retry):
    server.files["/good"] = b'{"a": 1}'
    assert fetch_json(server.base + "/good", retry=retry) == {"a": 1}
