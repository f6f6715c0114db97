"""Asking a timestamp authority: the request, the way over HTTP, and what the asker checks at once."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ledger.errors import InvalidInputError, TimestampAuthorityError, TimestampInvalidError
from ledger.timestamp import der
from ledger.timestamp.token import (
    MAX_REPLY_SIZE_BYTES,
    Timestamp,
    message_imprint,
    parse_token,
    require_version,
)
from ledger.timestamp.verification import check_imprint

if TYPE_CHECKING:
    from email.message import Message
    from typing import IO

QUERY_TYPE = "application/timestamp-query"
REPLY_TYPE = "application/timestamp-reply"
TIMEOUT_SECONDS = 30


def make_request(message: bytes, *, nonce: bool = True, certificates: bool = True) -> bytes:
    """Return a DER TimeStampReq over the SHA-256 of ``message`` (RFC 3161 §2.4.1).

    Args:
        message: the bytes to be stamped; only their hash goes out.
        nonce: whether the reply has to repeat a random number, so that no old reply is taken for a new one.
        certificates: whether the authority shall send its certificate along.

    Raises:
        InvalidInputError: there are no bytes.
    """
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    if not message:
        raise InvalidInputError("there are no bytes to be stamped")
    builder = TimestampRequestBuilder(
        data=message, hash_algorithm=HashAlgorithm.SHA256, nonce=nonce, cert_req=certificates
    )
    return builder.build().as_bytes()


def check_reply(reply: bytes, message: bytes, request: bytes) -> Timestamp:
    """Return what a reply claims, if it answers this request over this message.

    This does not verify who signed: :func:`ledger.timestamp.verify_token` does.

    Raises:
        InvalidInputError: reply or request is not what it should be in strict DER.
        TimestampNotGrantedError: the authority refused.
        TimestampInvalidError: the imprint is of other bytes, or the nonce is another.
    """
    hash_algorithm, imprint, nonce = _read_request(request)
    timestamp = parse_token(reply)
    check_imprint(timestamp, message)
    if (timestamp.hash_algorithm, timestamp.imprint) != (hash_algorithm, imprint):
        raise TimestampInvalidError("imprint", "the request was made for another hash")
    if timestamp.nonce != nonce:
        raise TimestampInvalidError(
            "nonce", f"the request has {nonce}, the reply {timestamp.nonce}: it answers another request"
        )
    return timestamp


def _read_request(request: bytes) -> tuple[str, bytes, int | None]:
    try:
        members = der.decode(request).members()
        require_version(members.take(), 1)
        hash_algorithm, imprint = message_imprint(members.take())
        members.take_if(der.OBJECT_IDENTIFIER)  # the policy that is asked for
        nonce = members.take_if(der.INTEGER)
        if (certificates := members.take_if(der.BOOLEAN)) is not None:
            certificates.boolean()
        members.end()
        return hash_algorithm, imprint, nonce.integer() if nonce else None
    except InvalidInputError as error:
        raise error.within("timestamp request") from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET, and somewhere that nobody named."""

    def redirect_request(
        self,
        req: urllib.request.Request,  # noqa: ARG002 (urllib calls these by place)
        fp: IO[bytes],  # noqa: ARG002
        code: int,  # noqa: ARG002
        msg: str,  # noqa: ARG002
        headers: Message,  # noqa: ARG002
        newurl: str,  # noqa: ARG002
    ) -> None:
        return None


def request_over_http(url: str, message: bytes, *, timeout_seconds: int = TIMEOUT_SECONDS) -> bytes:
    """Ask an authority for a timestamp over ``message`` and return its reply, checked by ``check_reply``.

    Args:
        url: the authority's address, http or https; the reply is signed, so plain http is common.
        message: the bytes to be stamped; only their hash goes out.
        timeout_seconds: how long the connection may stand still.

    Raises:
        InvalidInputError: the address is none, or the reply is not a TimeStampResp in strict DER.
        TimestampAuthorityError: the authority cannot be reached, or answers with something else.
        TimestampNotGrantedError: the authority refused.
        TimestampInvalidError: the reply answers another request.
    """
    place = _address(url)
    query = make_request(message)
    request = urllib.request.Request(  # noqa: S310 (the scheme was checked)
        url, data=query, headers={"Content-Type": QUERY_TYPE, "Accept": REPLY_TYPE}
    )
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=timeout_seconds) as answer:
            kind = answer.headers.get_content_type()
            reply: bytes = answer.read(MAX_REPLY_SIZE_BYTES + 1)
            broke_off = bool(answer.length) and len(reply) <= MAX_REPLY_SIZE_BYTES
    except urllib.error.HTTPError as error:
        error.close()
        raise _fault(place, f"answered with HTTP status {error.code}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _fault(place, f"cannot be reached: {getattr(error, 'reason', None) or error}") from None
    if kind != REPLY_TYPE:
        raise _fault(place, f"answered with content type {kind!r}, not {REPLY_TYPE}")
    if len(reply) > MAX_REPLY_SIZE_BYTES:
        raise _fault(place, f"answered with more than {MAX_REPLY_SIZE_BYTES} bytes")
    if broke_off:
        raise _fault(place, "broke off its answer")
    check_reply(reply, message, query)
    return reply


def _address(url: str) -> str:
    """Return what may be printed of an address: no user, password or query."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInputError("the authority's address is not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInputError("the authority's address has to start with http:// or https:// and a host")
    return f"{parts.scheme}://{parts.hostname}{f':{port}' if port else ''}{parts.path}"


def _fault(place: str, problem: str) -> TimestampAuthorityError:
    return TimestampAuthorityError(
        f"the timestamp authority at {place} {problem}", next_step="try again later, or another authority"
    )
