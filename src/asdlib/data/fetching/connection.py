"""One HTTP request: over http or https alone, without credentials, and no slower than a least rate.

Python's own opener follows redirects to ftp and from https to http, copies a proxy's password to the next host, and
waits forever for a server that sends a byte now and then. Nothing here reads `~/.netrc`, a token or a user name in an
address; the only credentials sent are a proxy's own, to the proxy.
"""

import http.client
import io
import re
import socket
import ssl
import string
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from asdlib.data.fetching.retry import Retry
from asdlib.errors import AsdError

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 10
_MOST_HEADERS = 1 << 16  # bytes before the body


def open_url(
    url: str, retry: Retry, headers: Mapping[str, str] | None = None, *, method: str = "GET", other_hosts: bool = True
) -> http.client.HTTPResponse:
    """Return the answer to a request, whatever its status, after following redirects.

    Without `other_hosts`, a redirect to another host is the answer. Raises AsdError for an address or a redirect that
    is not followed, OSError or http.client.HTTPException if the connection fails or is too slow.
    """
    sent = {"User-Agent": "asdlib", "Accept-Encoding": "identity", **(headers or {})}  # lengths count the file's bytes
    opener, address = _opener(retry), checked_address(url)
    for _ in range(_MOST_REDIRECTS + 1):
        # A new request for each host: the opener adds a proxy's password to the headers of the one it gets.
        response = opener.open(urllib.request.Request(address, headers=sent, method=method), timeout=retry.timeout)
        if response.status not in REDIRECTS:
            return response
        target = redirected(url, address, response.headers.get("Location", ""))
        if not other_hosts and _host(target) != _host(address):
            return response
        response.close()
        address = target
    raise AsdError(f"{url}: the server redirects more than {_MOST_REDIRECTS} times: check the base address")


def checked_address(url: str) -> str:
    """Return `url`; raise AsdError unless it is an http or https address that names a host and no user."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = (parts.hostname or "").encode("idna")
        plain = bool(host) and b"%" not in host and parts.port != 0  # what %xx stands for may be no name of a host
        readable = plain and url.isascii() and url.isprintable() and " " not in url
    except ValueError:  # a bracket without its other half, a port out of range, a label that is too long
        readable = False
    if readable and (parts.username is not None or parts.password is not None):
        raise AsdError(
            f"{parts.scheme}://{parts.hostname}: the address has a user name or password, which is never sent: remove "
            "it from the base address"
        )
    if readable and parts.scheme in ("http", "https"):
        return url
    raise AsdError(f"{url[:200]}: only http and https addresses can be fetched: correct the base address")


def redirected(url: str, address: str, location: str) -> str:
    """Return the address to which `address` redirects; raise AsdError, about `url`, if it is not followed.

    The message shows no password and no query, which may be a signature.
    """
    try:
        target = urllib.parse.urljoin(address, urllib.parse.quote(location, safe=string.punctuation))
        checked_address(target)
    except (ValueError, AsdError) as error:
        shown = re.sub("//[^/]*@", "//", location.partition("?")[0])[:40]
        raise AsdError(
            f"{url}: the server redirects to {shown!r}, which is not an http or https address without a user name: "
            "check the base address"
        ) from error
    if (urllib.parse.urlsplit(address).scheme, urllib.parse.urlsplit(target).scheme) == ("https", "http"):
        raise AsdError(
            f"{url}: the server redirects from https to http at {urllib.parse.urlsplit(target).hostname}, where anyone "
            "could change the file: check the base address"
        )
    return target


def _host(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc


def _opener(retry: Retry) -> urllib.request.OpenerDirector:
    """Return an opener that knows http, https and the proxies of the environment, and nothing else."""
    opener = urllib.request.OpenerDirector()
    for handler in (urllib.request.ProxyHandler(), _Http(retry), _Https(retry)):
        opener.add_handler(handler)
    return opener


class _Http(urllib.request.HTTPHandler):
    def __init__(self, retry: Retry):
        super().__init__()
        self.retry = retry

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_connection, http.client.HTTPConnection, self.retry), request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, retry: Retry):
        super().__init__()
        self.retry = retry

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        connect = partial(_connection, http.client.HTTPSConnection, self.retry)
        return self.do_open(connect, request, context=ssl.create_default_context())


def _connection(
    kind: Callable[..., http.client.HTTPConnection], retry: Retry, host: str, **options: Any
) -> http.client.HTTPConnection:
    connection = kind(host, **options)
    connection.response_class = partial(_Response, retry)
    return connection


class _Response(http.client.HTTPResponse):
    """An answer that is read through a `_PacedReader`, its headers included."""

    def __init__(self, retry: Retry, sock: socket.socket, *arguments: Any, **options: Any):
        super().__init__(sock, *arguments, **options)
        self._paced = _PacedReader(self.fp.detach(), retry, _MOST_HEADERS)
        self.fp = io.BufferedReader(self._paced)

    def begin(self) -> None:
        super().begin()
        self._paced.restart(most=None)


class _PacedReader(io.RawIOBase):
    """Reads from a connection; raises TimeoutError if too few bytes come within `retry.window` seconds of waiting.

    The timeout of a socket covers only the time without a byte, and starts again with each.
    """

    def __init__(self, raw: io.RawIOBase, retry: Retry, most: int | None):
        self._raw, self._retry = raw, retry
        self.restart(most)

    def restart(self, most: int | None) -> None:
        """Start the first window; at most `most` bytes may follow."""
        self._most, self._received, self._waited = most, 0, 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        before = time.monotonic()
        count = self._raw.readinto(buffer)
        self._waited += time.monotonic() - before  # only here: a slow disk is not the server's fault
        self._received += count or 0
        if self._most is not None and self._received > self._most:
            raise http.client.HTTPException("the headers do not end")
        if count and self._waited > self._retry.window:
            if self._received < self._retry.slowest * self._waited:
                raise TimeoutError(f"the server sends fewer than {self._retry.slowest:g} bytes a second")
            self._waited, self._received = 0.0, 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
