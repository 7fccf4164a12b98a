"""Answers that no honest server gives: one line each, after a time that has an end."""

import hashlib
import re
import time
from dataclasses import replace

import pytest
from helpers.hostile_server import HostileServer, Misdeed

from asdlib.data.fetching import http
from asdlib.data.fetching.connection import redirected
from asdlib.data.fetching.http import fetch, fetch_headers, fetch_json
from asdlib.data.fetching.hub import ask_hub
from asdlib.data.fetching.retry import Retry
from asdlib.errors import AsdError

BODY = b"recordings" * 1000


def refusal(url: str, path, retry: Retry, **expected) -> str:
    with pytest.raises(AsdError) as caught:
        fetch(url, path, retry=retry, **expected)
    message = str(caught.value)
    assert message.isprintable(), "one line, and nothing that a terminal obeys"
    assert len(message) < 500
    assert message.startswith(url)
    return message


LENGTHS = {
    "another digit": "²",
    "5,000 digits": "9" * 5000,
    "negative": "-1",
    "words": "many",
    "empty": "",
    "two": "10, 10",
}


@pytest.mark.parametrize("length", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("times", [1, 4])
def test_a_length_that_is_no_number(server, retry, tmp_path, length, times):
    server.files["/f.zip"] = BODY
    server.misdeeds["/f.zip"] = [Misdeed(headers={"Content-Length": length})] * times
    if times == 1:
        fetch(server.base + "/f.zip", tmp_path / "f.zip", retry=retry)
        assert (tmp_path / "f.zip").read_bytes() == BODY
    else:
        message = refusal(server.base + "/f.zip", tmp_path / "f.zip", retry)
        assert re.search(r"gave up after 4 attempts \(the server states the length .* not a number\)", message)
        assert not (tmp_path / "f.zip").exists()


def test_two_lengths_are_none(server, retry, tmp_path):
    """Python's client obeys the first one: the file would end there."""
    server.files["/f.zip"] = BODY
    lengths = b"Content-Length: 10\r\nContent-Length: 10000\r\n"
    server.misdeeds["/f.zip"] = [Misdeed(flood=b"HTTP/1.1 200 OK\r\n" + lengths + b"\r\n" + BODY)] * 9
    message = refusal(server.base + "/f.zip", tmp_path / "f.zip", retry)
    assert "(the server states the length '10, 10000', which is not a number)" in message


@pytest.mark.parametrize("name", ["Content-Encoding", "Transfer-Encoding"])
def test_a_coding_that_was_not_asked_for(server, retry, tmp_path, name):
    server.files["/f.zip"] = BODY
    server.misdeeds["/f.zip"] = [Misdeed(headers={name: "gzip"})]
    message = refusal(server.base + "/f.zip", tmp_path / "f.zip", retry)
    assert "the server sends the file coded as 'gzip': check the base address" in message
    server.misdeeds["/f.zip"] = [Misdeed(headers={name: "gzip"})]
    md5 = f"md5:{hashlib.md5(BODY).hexdigest()}"
    fetch(server.base + "/f.zip", tmp_path / "f.zip", retry=retry, checksum=md5)  # whole, whatever the server says
    assert (tmp_path / "f.zip").read_bytes() == BODY


@pytest.mark.parametrize("kind", ["text/html", "Text/HTML; charset=UTF-8", "application/xhtml+xml"])
@pytest.mark.parametrize("verified", [False, True])
def test_a_web_page_in_place_of_a_file(server, retry, tmp_path, kind, verified):
    """As drives, logins and captive portals send it: with success, and without regard to the range."""
    server.files["/f.zip"] = BODY
    page = Misdeed(body=b"<html>", headers={"Content-Type": kind}, ignore_range=True)
    server.misdeeds["/f.zip"] = [Misdeed(drop_after=5000), page]
    expected = {"checksum": f"md5:{hashlib.md5(BODY).hexdigest()}"} if verified else {}
    message = refusal(server.base + "/f.zip", tmp_path / "f.zip", retry, **expected)
    assert "the server sends a web page in place of the file" in message
    assert (tmp_path / "f.zip.part").read_bytes() == BODY[:5000], "the part of the file is lost"
    fetch(server.base + "/f.zip", tmp_path / "f.zip", retry=retry, **expected)
    assert server.ranges("/f.zip") == [None, "bytes=5000-", "bytes=5000-"]
    assert (tmp_path / "f.zip").read_bytes() == BODY


@pytest.mark.parametrize("headers", [{"Content-Type": "text/html"}, {"Content-Encoding": "gzip"}])
def test_the_page_of_a_busy_server_is_no_answer(server, retry, waits, tmp_path, headers):
    server.files["/f.zip"] = BODY
    server.misdeeds["/f.zip"] = [Misdeed(status=503, headers=headers)]
    fetch(server.base + "/f.zip", tmp_path / "f.zip", retry=retry)
    assert len(waits) == 1
    assert (tmp_path / "f.zip").read_bytes() == BODY


@pytest.mark.parametrize("span", ["bytes ²-9/10", "bytes 0-9/²", "bytes " + "9" * 5000 + "-/1", "words", ""])
def test_a_range_that_is_no_range(server, retry, tmp_path, span):
    server.files["/f.zip"] = BODY
    server.misdeeds["/f.zip"] = [Misdeed(drop_after=5000), Misdeed(headers={"Content-Range": span})]
    fetch(server.base + "/f.zip", tmp_path / "f.zip", retry=retry)
    assert (tmp_path / "f.zip").read_bytes() == BODY


LOCATIONS = {
    "half a bracket": "http://[::1",
    "a port in words": "http://127.0.0.1:web/",
    "a port out of range": "http://127.0.0.1:99999/",
    "a label that is too long": f"http://{'a' * 70}.org/",
    "a host of other letters": "http://ex\u00e2\u0084\u0080mple.org/",
    "a host in other words": "http://ex%C2%84mple.org/",
    "ftp": "ftp://127.0.0.1/f.zip",
    "a file": "file:///etc/hostname",
    "data": "data:text/plain,recordings",
    "a user": "http://who:secret@127.0.0.1/f.zip",
}


@pytest.mark.parametrize("location", LOCATIONS.values(), ids=LOCATIONS)
def test_a_redirect_that_cannot_be_followed(server, retry, waits, tmp_path, location):
    server.misdeeds["/f.zip"] = [Misdeed(status=302, headers={"Location": location})] * 9
    server.files["/f.zip"] = BODY
    message = refusal(server.base + "/f.zip", tmp_path / "f.zip", retry)
    assert re.search(r"the server redirects to '.*', which is not an http or https address .*: check the base", message)
    assert "secret" not in message
    assert not waits, "not tried again"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_redirect_is_followed(server, retry, tmp_path, status):
    server.misdeeds["/old"] = [Misdeed(status=status, headers={"Location": "/f.zip"})]
    server.files["/f.zip"] = BODY
    fetch(server.base + "/old", tmp_path / "f.zip", retry=retry)
    assert (tmp_path / "f.zip").read_bytes() == BODY


def test_a_redirect_that_goes_round(server, retry, tmp_path):
    server.files["/f.zip"] = BODY
    server.misdeeds["/f.zip"] = [Misdeed(status=302, headers={"Location": "/f.zip"})] * 99
    message = refusal(server.base + "/f.zip", tmp_path / "f.zip", retry)
    assert "redirects more than 10 times" in message
    assert len(server.requests) == 11


def test_a_redirect_without_an_address(server, retry, tmp_path):
    server.files["/f.zip"] = BODY
    server.misdeeds["/f.zip"] = [Misdeed(status=301)] * 99
    assert "redirects more than 10 times" in refusal(server.base + "/f.zip", tmp_path / "f.zip", retry)


def test_redirects_to_https_are_followed_and_those_back_to_http_are_not():
    assert redirected("u", "http://a.org/x", "https://b.org/y") == "https://b.org/y"
    assert redirected("u", "https://a.org/x", "//b.org/y z") == "https://b.org/y%20z"
    with pytest.raises(AsdError, match=r"^u: the server redirects from https to http at b\.org, .*: check") as caught:
        redirected("u", "https://a.org/x", "http://b.org/y?signature=secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/hostname",
        "ftp://localhost/x",
        "zenodo.org/x",
        "http://[::1",
        "http://",
        "http://host:web/",
        "http://host:99999/",
        "http://127.0.0.1:0/",
        f"http://{'a' * 70}.org/",
        "http://host/a b",
        "http://host/\x1b[2J",
    ],
)
def test_only_http_is_fetched(address, retry, tmp_path):
    with pytest.raises(AsdError, match="only http and https") as caught:
        fetch(address, tmp_path / "x", retry=retry)
    assert str(caught.value).isprintable()
    assert not list(tmp_path.iterdir())


STALLS = {
    "the body drips": Misdeed(drip=0.005),
    "the headers do not end": Misdeed(flood=b"HTTP/1.1 100 Continue\r\n\r\n"),
    "one header does not end": Misdeed(flood=b"x" * 1000),
    "too many headers": Misdeed(flood=b"HTTP/1.1 200 OK\r\n" + b"X-Header: 1\r\n" * 1000),
}


@pytest.mark.parametrize("misdeed", STALLS.values(), ids=STALLS)
def test_an_answer_that_does_not_end(server, retry, tmp_path, misdeed):
    server.files["/f.zip"] = BODY
    server.misdeeds["/f.zip"] = [misdeed] * 9
    began = time.monotonic()
    message = refusal(server.base + "/f.zip", tmp_path / "f.zip", replace(retry, window=0.03))
    assert "gave up after 4 attempts (connection failed" in message
    assert ("fewer than 1024 bytes a second" in message) == (misdeed.drip is not None)
    assert time.monotonic() - began < 5


def test_a_server_that_says_nothing(server, retry, tmp_path):
    server.files["/f.zip"] = BODY
    server.misdeeds["/f.zip"] = [Misdeed(drip=0.5)] * 9
    message = refusal(server.base + "/f.zip", tmp_path / "f.zip", replace(retry, timeout=0.02))
    assert "gave up after 4 attempts (connection failed: " in message


def test_a_slow_but_steady_server_is_waited_for(server, retry, tmp_path):
    server.files["/f.zip"] = BODY[:40]
    server.misdeeds["/f.zip"] = [Misdeed(drip=0.002)]
    fetch(server.base + "/f.zip", tmp_path / "f.zip", retry=replace(retry, attempts=1, window=0.02, slowest=20.0))
    assert (tmp_path / "f.zip").read_bytes() == BODY[:40]


@pytest.mark.parametrize("status", [201, 204, 206, 299, 304, 600])
def test_a_status_that_makes_no_sense_here(server, retry, tmp_path, status):
    server.files["/f.zip"] = BODY
    server.misdeeds["/f.zip"] = [Misdeed(status=status)] * 9
    message = refusal(server.base + "/f.zip", tmp_path / "f.zip", retry)
    assert ("another range than requested" if status == 206 else f"the server says {status}") in message
    assert not (tmp_path / "f.zip").exists()


@pytest.mark.parametrize("after", ["1e400", "nan", "-5", "Mon, 01 Jan 99999 00:00:00 GMT", "9" * 5000, "\x7f"])
def test_a_time_to_wait_that_makes_no_sense(server, retry, waits, tmp_path, after):
    server.files["/f.zip"] = BODY
    server.misdeeds["/f.zip"] = [Misdeed(status=503, headers={"Retry-After": after})]
    fetch(server.base + "/f.zip", tmp_path / "f.zip", retry=retry)
    assert 0 <= waits[0] <= retry.longest


JSON = {
    "no JSON": b"<html>",
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "other bytes": b"\xff\xfe\xfd",
    "a number of 5,000 digits": b'{"files": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("body", JSON.values(), ids=JSON)
def test_an_answer_that_is_no_json(server, retry, body):
    server.files["/bad"] = body
    with pytest.raises(AsdError, match="/bad: the answer is not JSON: check the base address, or try later"):
        fetch_json(server.base + "/bad", retry=retry)


def test_an_answer_that_is_too_long(server, retry, monkeypatch):
    monkeypatch.setattr(http, "ANSWER_LIMIT", 100)
    server.files["/long"] = b"[" + b"1," * 1000 + b"1]"
    with pytest.raises(AsdError, match="/long: 2003 bytes are more than the 100 allowed"):
        fetch_json(server.base + "/long", retry=retry)


def test_a_hub_that_states_no_number(server: HostileServer, retry):
    server.files["/team/net/resolve/main/f"] = BODY
    server.headers["/team/net/resolve/main/f"] = {"X-Linked-Size": "²"}
    with pytest.raises(AsdError, match=r"gave up after 4 attempts \(the server states the length"):
        ask_hub(server.base, "team/net", "main", "f", retry=retry)
    with pytest.raises(AsdError, match="the server says 404"):
        fetch_headers(server.base + "/none", lambda *_: None, retry=retry)
