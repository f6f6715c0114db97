"""One HTTP request to somebody else: bounded in time and size, and no redirect is followed."""

from __future__ import annotations

import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, InvalidURL
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from ledger.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHUNK_BYTES = 65_536
_LONGEST_REASON = 200


class UnreachableError(Exception):
    """Nobody answered in time, in HTTP, or within the size; the caller says who should have.

    Attributes:
        reason: in words, some of which the other side may have chosen: one printable line.
    """

    def __init__(self, reason: object) -> None:
        words = str(reason)[:_LONGEST_REASON] or type(reason).__name__
        self.reason = "".join(each if each.isprintable() else " " for each in words)
        super().__init__(self.reason)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back.

    Attributes:
        status: of HTTP.
        content_type: without parameters, lowercase; empty where none was said.
        body: at most as many bytes as were asked for.
    """

    status: int
    content_type: str
    body: bytes


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST becomes a GET without its body, somewhere that nobody named."""

    def redirect_request(
        self, req: object, fp: object, code: object, msg: object, headers: object, newurl: object
    ) -> None:
        """Follow none."""


class _Deadline:
    """Ends connections at a time, whatever is being sent, awaited or read then, with TLS or without."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._guard = threading.Lock()
        self._twins: list[socket.socket] = []
        self.passed = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()  # so that it never ends what has a closed connection's number by then
        for twin in self._twins:
            twin.close()

    def _end(self) -> None:
        with self._guard:
            self.passed = True
            for twin in self._twins:
                with suppress(OSError):  # the other side was first
                    twin.shutdown(socket.SHUT_RDWR)

    def check(self) -> None:
        """Raise TimeoutError where the time is over: what was read last may be the end that it made."""
        if self.passed:
            raise TimeoutError("timed out")

    def connect(self, address: tuple[str, int], *_options: object) -> socket.socket:
        """Connect, to the first of a host's addresses that answers."""
        problem = OSError("the host has no address")
        for family, kind, protocol, _, place in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
            left_seconds = self._at - time.monotonic()
            if left_seconds <= 0:
                raise TimeoutError("timed out")
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(left_seconds)
                connection.connect(place)
                with self._guard:
                    self.check()
                    # TLS takes a socket over; a second handle reaches the connection all the same.
                    self._twins.append(connection.dup())
            except OSError as error:
                connection.close()
                problem = error
            else:
                return connection
        raise problem


class _UntilDeadline(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Makes connections that a deadline ends."""

    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> HTTPResponse:
        """Open a connection without TLS."""
        return self.do_open(partial(self._connection, HTTPConnection), req)

    def https_open(self, req: urllib.request.Request) -> HTTPResponse:
        """Open a connection with TLS; the certificate is verified."""
        return self.do_open(partial(self._connection, HTTPSConnection), req)

    def _connection(self, kind: type[HTTPConnection], host: str, **options: Any) -> HTTPConnection:
        connection = kind(host, **options)
        # Under a proxy's tunnel and under TLS, so that neither's handshake can stretch the time.
        connection._create_connection = self._deadline.connect  # type: ignore[attr-defined] # noqa: SLF001
        return connection


def printable_address(url: str, whose: str) -> str:
    """Return what may be printed of an address: its query is left out.

    Raises:
        InvalidInputError: not an address of http or https, one with a user or password, or one with
            characters that have to be written as %XX. ``whose`` is for the message, which repeats
            nothing of the address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInputError(f"{whose} address is not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInputError(f"{whose} address has to start with http:// or https:// and a host")
    if "@" in parts.netloc:
        raise InvalidInputError(
            f"{whose} address holds a user or a password, which are not sent",
            next_step="give it without: http://HOST/PATH",
        )
    if " " in url or not url.isprintable() or not (parts.path + parts.query).isascii():
        raise InvalidInputError(
            f"{whose} address holds a space or another character that no URL has",
            next_step="write such characters as %XX, a space as %20",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"


def post(
    url: str, data: bytes, headers: Mapping[str, str], *, timeout_seconds: int, largest_bytes: int
) -> Reply:
    """Send a POST and return its reply, whatever its status.

    Args:
        url: an address that :func:`printable_address` takes.
        data: the body.
        headers: to send.
        timeout_seconds: for the whole of it, from connecting to the last byte of the reply; nothing that
            the other side does can stretch it. The look-up of the host's name before it takes as long as
            the system's resolver allows.
        largest_bytes: a longer reply is refused.

    Raises:
        InvalidInputError: no such address.
        UnreachableError: no reply within time and size.
    """
    printable_address(url, "the")
    request = urllib.request.Request(url, data, dict(headers), method="POST")  # noqa: S310 (as said)
    with _Deadline(timeout_seconds) as deadline:
        opener = urllib.request.build_opener(_NoRedirects, _UntilDeadline(deadline))
        try:
            try:
                response = opener.open(request, timeout=timeout_seconds)
            except urllib.error.HTTPError as error:
                response = error
            with response:
                return _read(response, deadline, largest_bytes)
        except InvalidURL:  # its words are the address
            raise UnreachableError("its address is not a URL") from None
        except (OSError, HTTPException, ValueError) as error:
            if deadline.passed:
                raise UnreachableError("timed out") from None
            raise UnreachableError(getattr(error, "reason", None) or error) from error


def _read(response: Any, deadline: _Deadline, largest_bytes: int) -> Reply:
    body = bytearray()
    while chunk := response.read1(_CHUNK_BYTES):
        body += chunk
        if len(body) > largest_bytes:
            raise UnreachableError(f"it answered with more than {largest_bytes} bytes")
    deadline.check()
    if response.length:
        raise UnreachableError("it broke off its answer")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Reply(response.status, kind, bytes(body))
