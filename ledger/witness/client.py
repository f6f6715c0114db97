"""How a log asks a witness for cosignatures over HTTP (C2SP tlog-witness).

What a witness answers is believed only as far as its trusted keys vouch for it.
"""

from __future__ import annotations

import re
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from ledger.checkpoint import Checkpoint, verify_signature
from ledger.errors import (
    EnvironmentFaultError,
    EvidenceRefusedError,
    InvalidInputError,
    WitnessDisagreesError,
    WitnessRefusedError,
)
from ledger.note import LARGEST_NOTE_BYTES, MOST_SIGNATURES, NoteFormError, Signature, SignatureType
from ledger.proof import ConsistencyProof
from ledger.trust import read_checkpoint
from ledger.witness.decision import SIZE_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from email.message import Message

    from ledger.note import VerifierKey

_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_CHUNK_BYTES = 65_536
_WORDS_SHOWN = 200
_NEXT_STEPS: dict[int, str] = {
    HTTPStatus.NOT_FOUND: "its operator has to watch this log: ledger witness trust DIR --trusted-key VKEY",
    HTTPStatus.FORBIDDEN: "its operator has to trust the key that signed this checkpoint",
    HTTPStatus.SERVICE_UNAVAILABLE: "try again later",
}


def request_cosignatures(
    url: str,
    old_size: int,
    note: bytes,
    make_proof: Callable[[int], Sequence[bytes]],
    witness_keys: Sequence[VerifierKey],
    *,
    timeout_seconds: int = 10,
) -> tuple[Signature, ...]:
    """Ask a witness to cosign a checkpoint, and return its cosignatures, each of them verified.

    Args:
        url: the witness's submission prefix, ``http://…`` or ``https://…``.
        old_size: the size that the witness is thought to have cosigned last; 0 where nothing is known.
        note: the signed checkpoint.
        make_proof: gives the hashes of the consistency proof from a size to the checkpoint's size.
        witness_keys: the keys of the witness; lines by others are passed over.
        timeout_seconds: for each request, from its start to the end of its response.

    Raises:
        InvalidInputError: the URL or a key is none of a witness.
        EnvironmentFaultError: the witness cannot be reached, or does not answer in time or in HTTP.
        WitnessRefusedError: it refuses; as WitnessDisagreesError where it has seen another history.
        EvidenceRefusedError: ``checkpoint``: the note is none; ``cosignature``: the answer holds none by a
            trusted key, or one that does not hold.
    """
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
        raise InvalidInputError(f"{url!r} is not the address of a witness, http://… or https://…")
    if not witness_keys or any(key.type is SignatureType.ED25519 for key in witness_keys):
        raise InvalidInputError(
            f"no key to check the cosignatures of {url} with",
            next_step="give the keys that the witness published: ledger witness list shows them there",
        )
    _, checkpoint = read_checkpoint(note)
    place = f"{url.rstrip('/')}/add-checkpoint"
    known_size = min(old_size, checkpoint.size)
    for attempt in (1, 2):
        request = ConsistencyProof(known_size, tuple(make_proof(known_size)), note)
        status, content_type, body = _post(place, request.encode(), timeout_seconds)
        size = _SIZE.fullmatch(body) if content_type == SIZE_TYPE else None
        if status == HTTPStatus.CONFLICT and size is not None and attempt == 1:
            known_size = int(size[1])
            if known_size > checkpoint.size:
                raise WitnessDisagreesError(
                    place,
                    status,
                    f"it has cosigned the size {known_size}, and this checkpoint has {checkpoint.size}",
                    next_step="ledger verify: if the ledger was restored from a backup, events are missing",
                )
            continue
        if status == HTTPStatus.OK:
            return _verified(place, body, checkpoint, witness_keys)
        _refused(place, status, body, again=size is not None)
    raise AssertionError("the second attempt returns or raises")


def _refused(place: str, status: int, body: bytes, *, again: bool) -> NoReturn:
    said = body[:_WORDS_SHOWN].decode("utf-8", "replace")
    words = "".join(each if each.isprintable() else " " for each in said).strip() or "no words"
    if again:
        raise WitnessRefusedError(
            place, status, f"its size changed meanwhile to {words}", next_step="try again"
        )
    if status in {HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}:
        raise WitnessDisagreesError(
            place, status, words, next_step="ledger verify, and compare with the checkpoint that it cosigned"
        )
    raise WitnessRefusedError(place, status, words, next_step=_NEXT_STEPS.get(status))


def _verified(
    place: str, body: bytes, checkpoint: Checkpoint, keys: Sequence[VerifierKey]
) -> tuple[Signature, ...]:
    """Return the lines by trusted keys; one that claims to be by such a key has to hold."""
    try:
        signatures = _lines_of_signatures(body.decode())
    except (UnicodeDecodeError, NoteFormError):
        raise EvidenceRefusedError(
            "cosignature", "lines of signatures", repr(body[:80]), place=place
        ) from None
    found = []
    for signature in signatures:
        for key in keys:
            if signature.is_by(key):
                if verify_signature(key, signature, checkpoint) is None:
                    raise EvidenceRefusedError(
                        "cosignature", f"a valid one by {key}", "one that does not hold", place=place
                    )
                found.append(signature)
    if not found:
        raise EvidenceRefusedError(
            "cosignature",
            f"one by {' or '.join(map(str, keys))}",
            ", ".join(f"{each.name}+{each.key_id.hex()}" for each in signatures),
            place=place,
            next_step="check that the keys are those that this witness publishes",
        )
    return tuple(dict.fromkeys(found))


def _lines_of_signatures(text: str) -> list[Signature]:
    lines = text.removesuffix("\n").split("\n")
    if not text.endswith("\n") or len(lines) > MOST_SIGNATURES:
        raise NoteFormError("not lines of signatures")
    return [Signature.parse(line) for line in lines]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST becomes a GET without its body; so a redirect is an answer like another."""

    def redirect_request(
        self, req: object, fp: object, code: object, msg: object, headers: object, newurl: object
    ) -> None:
        """Follow none."""


def _post(place: str, data: bytes, timeout_seconds: int) -> tuple[int, str, bytes]:
    """Return status, content type and body of the response."""
    deadline = time.monotonic() + timeout_seconds
    request = urllib.request.Request(  # noqa: S310 (the scheme was checked)
        place, data, {"Content-Type": "text/plain; charset=utf-8"}, method="POST"
    )
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        try:
            response = opener.open(request, timeout=timeout_seconds)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            body = bytearray()
            # In pieces: the timeout is one for each piece, which a slow sender could stretch for ever.
            while chunk := response.read1(_CHUNK_BYTES):
                body += chunk
                if len(body) > LARGEST_NOTE_BYTES or time.monotonic() > deadline:
                    raise TimeoutError("the response is too long, or came too slowly")
            return response.status, _content_type(response.headers), bytes(body)
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise EnvironmentFaultError(
            f"the witness at {place} cannot be reached: {reason or type(reason).__name__}",
            next_step="check the address and that the witness runs, then try again",
        ) from error


def _content_type(headers: Message) -> str:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()
