"""Asking a timestamp authority: the request, the way over HTTP, and what the asker checks at once."""

from __future__ import annotations

from http import HTTPStatus

from ledger.errors import InvalidInputError, TimestampAuthorityError, TimestampInvalidError
from ledger.outside.http import UnreachableError, post, printable_address
from ledger.timestamp import der
from ledger.timestamp.token import (
    MAX_REPLY_SIZE_BYTES,
    Timestamp,
    message_imprint,
    parse_token,
    require_version,
)
from ledger.timestamp.verification import check_imprint

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


def request_over_http(url: str, message: bytes, *, timeout_seconds: int = TIMEOUT_SECONDS) -> bytes:
    """Ask an authority for a timestamp over ``message`` and return its reply, checked by ``check_reply``.

    Args:
        url: the authority's address, http or https; the reply is signed, so plain http is common.
        message: the bytes to be stamped; only their hash goes out.
        timeout_seconds: for the whole exchange, from connecting to the last byte of the reply.

    Raises:
        InvalidInputError: the address is none, or the reply is not a TimeStampResp in strict DER.
        TimestampAuthorityError: the authority cannot be reached, or answers with something else.
        TimestampNotGrantedError: the authority refused.
        TimestampInvalidError: the reply answers another request.
    """
    place = printable_address(url, "the authority's")
    query = make_request(message)
    try:
        answer = post(
            url,
            query,
            {"Content-Type": QUERY_TYPE, "Accept": REPLY_TYPE},
            timeout_seconds=timeout_seconds,
            largest_bytes=MAX_REPLY_SIZE_BYTES,
        )
    except UnreachableError as error:
        raise _fault(place, f"cannot be reached: {error.reason}") from None
    if answer.status != HTTPStatus.OK:
        raise _fault(place, f"answered with HTTP status {answer.status}")
    if answer.content_type != REPLY_TYPE:
        raise _fault(place, f"answered with content type {answer.content_type!r}, not {REPLY_TYPE}")
    check_reply(answer.body, message, query)
    return answer.body


def _fault(place: str, problem: str) -> TimestampAuthorityError:
    return TimestampAuthorityError(
        f"the timestamp authority at {place} {problem}", next_step="try again later, or another authority"
    )
