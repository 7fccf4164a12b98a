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
import time
import urllib.error
import urllib.parse
import urllib.request
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO

from asdlib.data.fetching.retry import CHUNK, Retry, TryAgainError
from asdlib.data.fetching.transfer_progress import TransferProgress
from asdlib.data.files import locked
from asdlib.errors import AsdError

LOG = logging.getLogger(__name__)
LIMIT = 32 << 30  # bytes of a file whose size is unknown
_LATER = {408, 425, 429, 500, 502, 503, 504, 507, 509}  # worth another attempt; every other error status is final


def fetch(
    url: str,
    path: Path,
    *,
    size: int | None = None,
    checksum: str | None = None,
    limit: int = LIMIT,
    retry: Retry | None = None,
) -> None:
    """Download `url` to `path`, resuming from `<path>.part` if it exists.

    `size` (bytes) and `checksum` (`md5:<hex>` or `sha256:<hex>`) are verified if given. Never write more than `size`
    bytes, or `limit` if no size is given. Raise AsdError if the server refuses, cannot be reached, or sends a file with
    another size or checksum; the partial file is then removed.
    """
    retry = retry or Retry()
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise AsdError(f"{url}: only http and https addresses can be fetched: correct the base address")
    part = path.with_name(path.name + ".part")
    with locked(path):
        _collect(url, part, size, limit, retry)
        _verify(url, part, size, checksum)
        _sync(part)
        part.replace(path)


def fetch_json(url: str, *, retry: Retry | None = None) -> Any:
    """Return the JSON document at `url`; raise AsdError if it cannot be fetched or is not JSON."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        fetch(url, answer, limit=64 << 20, retry=retry)
        try:
            return json.loads(answer.read_bytes())
        except ValueError as error:
            raise AsdError(f"{url}: the answer is not JSON: check the base address, or try later") from error


def checksum_of(path: Path, kind: str) -> str:
    """Return `<kind>:<hex>` of a file's content; `kind` is md5 or sha256."""
    with path.open("rb") as handle:
        return f"{kind}:{hashlib.file_digest(handle, kind).hexdigest()}"


def _collect(url: str, part: Path, size: int | None, limit: int, retry: Retry) -> None:
    """Download to `part` until it is complete, over as many connections as necessary."""
    failures, furthest = 0, _length(part)
    while True:
        try:
            _attempt(url, part, size, limit, retry.timeout)
            return
        except TryAgainError as problem:
            grown = _length(part) - furthest
            furthest = max(furthest, _length(part))
            failures = 1 if grown >= CHUNK else failures + 1
            if failures >= retry.attempts:
                raise AsdError(
                    f"{url}: gave up after {failures} attempts ({problem}): check the network and the base address, "
                    "and run again; the download resumes where it stopped"
                ) from problem
            LOG.info("%s: %s; starting attempt %d of %d", url, problem, failures + 1, retry.attempts)
            retry.wait(failures, problem.after)


def _attempt(url: str, part: Path, size: int | None, limit: int, timeout: float) -> None:
    """Open one connection and append its data to `part`; return only if `part` is complete."""
    if size is not None and _length(part) > size:
        part.unlink()
    if size is not None and part.exists() and _length(part) == size:
        return
    try:
        with _open(url, _length(part), timeout) as response:
            start, total = _start_and_total(response, _length(part), part)
            expected = size if size is not None else total
            _append(url, response, part, start, expected, limit)
    except urllib.error.HTTPError as error:
        error.close()
        if _is_whole(error, part):
            return
        raise _refusal(url, error, part) from error
    except (OSError, http.client.HTTPException) as error:
        raise TryAgainError(f"connection failed: {error or type(error).__name__}") from error
    if expected is not None and _length(part) < expected:
        raise TryAgainError(f"the connection closed after {_length(part)} of {expected} bytes")


def _open(url: str, start: int, timeout: float) -> http.client.HTTPResponse:
    headers = {"User-Agent": "asdlib", "Accept-Encoding": "identity"}  # lengths count the bytes of the file
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    return urllib.request.build_opener().open(request, timeout=timeout)


def _start_and_total(response: http.client.HTTPResponse, start: int, part: Path) -> tuple[int, int | None]:
    """Return the position of the answer's first byte, and the total size if the server states it."""
    if response.status == 206:
        first, total = _content_range(response.headers.get("Content-Range", ""))
        if first != start:
            part.unlink(missing_ok=True)
            raise TryAgainError("the server sent another range than requested; starting over")
        return start, total
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None  # the server ignored the range


def _content_range(header: str) -> tuple[int | None, int | None]:
    """Return the first byte and the total of `bytes 10-99/100`, (10, 100); None for a value that is not stated."""
    span, _, total = header.removeprefix("bytes").strip().partition("/")
    first = span.partition("-")[0]
    return int(first) if first.isdigit() else None, int(total) if total.isdigit() else None


def _is_whole(error: urllib.error.HTTPError, part: Path) -> bool:
    """Return whether a refused range (416) means that the file is already complete."""
    total = _content_range(error.headers.get("Content-Range", ""))[1]
    return error.code == 416 and part.exists() and _length(part) == total


def _refusal(url: str, error: urllib.error.HTTPError, part: Path) -> Exception:
    """Return the exception for an error status: temporary or final."""
    if error.code == 416:
        part.unlink(missing_ok=True)
        return TryAgainError("the server refused to resume; starting over")
    if error.code in _LATER:
        return TryAgainError(f"HTTP {error.code} {error.reason}", _retry_after(error.headers.get("Retry-After")))
    return AsdError(
        f"{url}: the server says {error.code} {error.reason}: check the record number and file name in the config"
    )


def _retry_after(header: str | None) -> float:
    """Return the seconds of a Retry-After header, which is a number or a date; 0 if there is none."""
    try:
        return max(0.0, float(header or 0))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return 0.0


def _append(
    url: str, response: http.client.HTTPResponse, part: Path, start: int, expected: int | None, limit: int
) -> None:
    """Write the body to `part` from byte `start` on; raise AsdError before writing more bytes than expected."""
    most = expected if expected is not None else limit
    if most > limit:
        raise AsdError(f"{url}: {most} bytes are more than the {limit} allowed: check the base address")
    with _open_part(part, start) as handle, TransferProgress(part.stem, expected, start) as progress:
        done = start
        while chunk := response.read1(min(CHUNK, most - done + 1)):
            done += len(chunk)
            if done > most:
                part.unlink()
                raise AsdError(f"{url}: the server sends more than the {most} bytes expected: check the base address")
            _write(handle, chunk, part)
            progress.add(len(chunk))


def _open_part(part: Path, start: int) -> BinaryIO:
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        return part.open("ab" if start else "wb")
    except OSError as error:
        raise AsdError(
            f"{part}: cannot be written ({error.strerror}): free disk space, or make the folder writable"
        ) from error


def _write(handle: BinaryIO, chunk: bytes, part: Path) -> None:
    """Write a chunk; report a full disk here, because a broken connection raises OSError as well."""
    try:
        handle.write(chunk)
        handle.flush()
    except OSError as error:
        raise AsdError(f"{part}: cannot be written ({error.strerror}): free disk space and run again") from error


def _verify(url: str, part: Path, size: int | None, checksum: str | None) -> None:
    """Remove `part` and raise AsdError unless its size and checksum are as expected."""
    found = _length(part)
    wrong = f"size is {found}, expected {size} bytes" if size not in (None, found) else ""
    if checksum and not wrong:
        kind = checksum.partition(":")[0]
        actual = checksum_of(part, kind)
        if actual != checksum.lower():
            wrong = f"checksum is {actual}, expected {checksum}"
    if wrong:
        part.unlink()
        raise AsdError(
            f"{part.with_suffix('')}: {wrong} (from {url}): the wrong file is removed; run again, and if this "
            "happens again, compare the pin with the publisher's page"
        )


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
