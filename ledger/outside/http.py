"""One HTTP request to somebody else: bounded in time and size, and no redirect is followed."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ledger.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHUNK_BYTES = 65_536


class UnreachableError(Exception):
    """Nobody answered in time, in HTTP, or within the size; the caller says who should have.

    Attributes:
        reason: in words.
    """

    def __init__(self, reason: object) -> None:
        super().__init__(str(reason))
        self.reason = str(reason) or type(reason).__name__


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


def printable_address(url: str, whose: str) -> str:
    """Return what may be printed of an address: no user, password or query.

    Raises:
        InvalidInputError: not an address of http or https; ``whose`` is for the message.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInputError(f"{whose} address is not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInputError(f"{whose} address has to start with http:// or https:// and a host")
    return f"{parts.scheme}://{parts.hostname}{f':{port}' if port else ''}{parts.path}"


def post(
    url: str, data: bytes, headers: Mapping[str, str], *, timeout_seconds: int, largest_bytes: int
) -> Reply:
    """Send a POST and return its reply, whatever its status.

    Args:
        url: an address that :func:`printable_address` takes.
        data: the body.
        headers: to send.
        timeout_seconds: for the whole of it; a slow sender cannot stretch it.
        largest_bytes: a longer reply is refused.

    Raises:
        UnreachableError: no reply within time and size.
    """
    deadline = time.monotonic() + timeout_seconds
    request = urllib.request.Request(url, data, dict(headers), method="POST")  # noqa: S310 (as said)
    try:
        try:
            response = urllib.request.build_opener(_NoRedirects).open(request, timeout=timeout_seconds)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            body = bytearray()
            while chunk := response.read1(_CHUNK_BYTES):
                body += chunk
                if len(body) > largest_bytes:
                    raise UnreachableError(f"it answered with more than {largest_bytes} bytes")
                if time.monotonic() > deadline:
                    raise UnreachableError("it answered too slowly")
            if response.length:
                raise UnreachableError("it broke off its answer")
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            return Reply(response.status, kind, bytes(body))
    except (OSError, HTTPException, ValueError) as error:
        raise UnreachableError(getattr(error, "reason", None) or error) from error
