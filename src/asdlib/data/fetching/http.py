"""The download of one URL to one file: resumed, retried and verified.

The data are collected in `<name>.part`, which stays on disk between runs. It is renamed only after its size and
checksum have been verified. Lengths stated by a server only control the reading; they are not trusted.
"""

import hashlib
import http.client
import json
import logging
import os
import tempfile
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any, TypeVar

from asdlib.data.fetching.connection import REDIRECTS, checked_address, open_url
from asdlib.data.fetching.headers import coding_of, content_range, is_page, length_of, retry_after, validator_of
from asdlib.data.fetching.partial import Part
from asdlib.data.fetching.retry import CHUNK, Retry, TryAgainError
from asdlib.data.fetching.transfer_progress import TransferProgress
from asdlib.data.files import locked
from asdlib.errors import AsdError, printable

_log = logging.getLogger(__name__)
LIMIT = 32 << 30  # bytes of a file whose size is unknown
ANSWER_LIMIT = 4 << 20  # bytes of a document; the record of a dataset has 20 kB
_LATER = {408, 425, 429, 500, 502, 503, 504, 507, 509}  # worth another attempt; every other error status is final
T = TypeVar("T")


class WrongFileError(AsdError):
    """Raised for a file whose size or checksum is not the expected one."""


def fetch(
    url: str,
    path: Path,
    *,
    size: int | None = None,
    checksum: str | None = None,
    limit: int = LIMIT,
    retry: Retry | None = None,
) -> None:
    """Download `url` to `path`, resuming from `<path>.part` if that is a part of the same file.

    `size` (bytes) and `checksum` (`md5:<hex>` or `sha256:<hex>`) are verified if given. Never write more than `size`
    bytes, or `limit` if no size is given. Raises AsdError if the server refuses, cannot be reached, or sends a web
    page, and keeps the partial file. Raises WrongFileError for another size or checksum, and removes it.
    """
    retry = retry or Retry()
    checked_address(url)
    part = Part(path)
    with locked(path):
        _persist(url, lambda: _attempt(url, part, size, bool(checksum), limit, retry), lambda: part.length, retry)
        _verify(url, part, size, checksum)
        _sync(part.path)
        part.complete()


def fetch_json(url: str, *, retry: Retry | None = None) -> Any:
    """Return the JSON document at `url`; raise AsdError if it cannot be fetched or is not JSON."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        fetch(url, answer, limit=ANSWER_LIMIT, retry=retry)
        try:
            return json.loads(answer.read_bytes())
        except (ValueError, RecursionError) as error:
            raise AsdError(f"{url}: the answer is not JSON: check the base address, or try later") from error


def fetch_headers(url: str, read: Callable[[int, Message], T], *, retry: Retry) -> T:
    """Return what `read` makes of the status and headers of a HEAD request.

    A redirect to another host is not followed: its own status and headers are read.
    """
    return _persist(url, lambda: read(*_ask(url, retry)), lambda: 0, retry)


def checksum_of(path: Path, kind: str) -> str:
    """Return `<kind>:<hex>` of a file's content; `kind` is md5 or sha256."""
    with path.open("rb") as handle:
        return f"{kind}:{hashlib.file_digest(handle, kind).hexdigest()}"


def _persist(url: str, attempt: Callable[[], T], arrived: Callable[[], int], retry: Retry) -> T:
    """Return the result of `attempt`, made as often as necessary; `arrived` returns the number of bytes so far."""
    failures, furthest = 0, arrived()
    while True:
        try:
            return attempt()
        except TryAgainError as problem:
            grown = arrived() - furthest
            furthest = max(furthest, arrived())
            failures = 1 if grown >= CHUNK else failures + 1
            if failures >= retry.attempts:
                raise AsdError(
                    f"{url}: gave up after {failures} attempts ({problem}): check the network and the base address, "
                    "and run again; the download resumes where it stopped"
                ) from problem
            _log.info("%s: %s; starting attempt %d of %d", url, problem, failures + 1, retry.attempts)
            retry.wait(failures, problem.after)


def _ask(url: str, retry: Retry) -> tuple[int, Message]:
    try:
        with open_url(url, retry, method="HEAD", other_hosts=False) as response:
            if response.status == 200 or response.status in REDIRECTS:
                return response.status, response.headers
            raise _refusal(url, response)
    except (OSError, http.client.HTTPException) as error:
        raise _broken(error) from error


def _attempt(url: str, part: Part, size: int | None, verified: bool, limit: int, retry: Retry) -> None:
    """Open one connection and append its data to `part`; return only if `part` is complete."""
    asked = part.continuation(url, size, verified)
    if asked and part.length == size:
        return
    try:
        with open_url(url, retry, asked) as response:
            if response.status == 416 and part.length and content_range(response.headers)[1] == part.length:
                return  # nothing is missing
            _refuse_other_body(url, response, verified)
            expected = _append(url, response, part, size, limit)
    except (OSError, http.client.HTTPException) as error:
        raise _broken(error) from error
    if expected is not None and part.length < expected:
        raise TryAgainError(f"the connection closed after {part.length} of {expected} bytes")


def _refuse_other_body(url: str, response: http.client.HTTPResponse, verified: bool) -> None:
    """Raise AsdError if a success is not the file itself; before the part is touched, which may be the file's."""
    if response.status not in (200, 206):
        return
    if is_page(response.headers):
        raise AsdError(
            f"{url}: the server sends a web page in place of the file (a login, a notice, a limit): open the address "
            "in a browser to read it, and run again later"
        )
    if not verified and (coding := coding_of(response.headers)):  # a checksum would find it out
        raise AsdError(f"{url}: the server sends the file coded as {coding[:40]!r}: check the base address")


def _append(url: str, response: http.client.HTTPResponse, part: Part, size: int | None, limit: int) -> int | None:
    """Write the body to `part` and return the size of the whole file, None if it is unknown."""
    start, total = _start_and_total(url, response, part)
    expected = size if size is not None else total
    most = expected if expected is not None else limit
    if most > limit:
        raise AsdError(f"{url}: {most} bytes are more than the {limit} allowed: check the base address")
    opened = part.resume() if start else part.start(url, expected, validator_of(response.headers))
    with opened as handle, TransferProgress(part.target.name, expected, start) as progress:
        done = start
        while chunk := response.read1(min(CHUNK, most - done + 1)):
            done += len(chunk)
            if done > most:
                part.discard()
                raise AsdError(f"{url}: the server sends more than the {most} bytes expected: check the base address")
            part.write(handle, chunk)
            progress.add(len(chunk))
    return expected


def _start_and_total(url: str, response: http.client.HTTPResponse, part: Part) -> tuple[int, int | None]:
    """Return the position of the answer's first byte, and the total size if the server states it."""
    if response.status == 200:  # no range was requested, or it was not granted
        return 0, length_of(response.headers)
    if response.status != 206:
        if response.status == 416:
            part.discard()
        raise _refusal(url, response)
    first, total = content_range(response.headers)
    known, found = part.known(), validator_of(response.headers)
    same = found in (None, known.get("validator")) and (total is None or known.get("size") in (None, total))
    if not part.length or first != part.length or not same:
        part.discard()
        what = "another range than requested" if same else "the rest of a different file"
        raise TryAgainError(f"the server sent {what}; starting over")
    return first, total


def _refusal(url: str, response: http.client.HTTPResponse) -> Exception:
    """Return the exception for a status other than success: temporary or final."""
    code = response.status
    says = f"{code} {http.client.responses.get(code, '')}".rstrip()  # not the server's own words, which may be anything
    if code == 416:
        return TryAgainError("the server refused to resume; starting over")
    if code in _LATER:
        return TryAgainError(f"HTTP {says}", retry_after(response.headers))
    return AsdError(
        f"{url}: the server says {says}: check the base address and, in the config, what is fetched from there"
    )


def _broken(error: Exception) -> TryAgainError:
    reason = printable(" ".join(str(error).split())[:200])
    return TryAgainError(f"connection failed: {reason or type(error).__name__}")


def _verify(url: str, part: Part, size: int | None, checksum: str | None) -> None:
    """Remove `part` and raise WrongFileError unless its size and checksum are as expected."""
    found = part.length
    wrong = f"size is {found}, expected {size} bytes" if size not in (None, found) else ""
    if checksum and not wrong:
        kind = checksum.partition(":")[0]
        actual = checksum_of(part.path, kind)
        if actual != checksum.lower():
            wrong = f"checksum is {actual}, expected {checksum}"
    if wrong:
        part.discard()
        raise WrongFileError(
            f"{part.target}: {wrong} (from {url}): the wrong file was removed: run again; if this happens again, "
            "compare the pin with the publisher's page"
        )


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
