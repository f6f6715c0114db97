"""How a log asks a witness for cosignatures over HTTP (C2SP tlog-witness).

What a witness answers is believed only as far as its trusted keys vouch for it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, NoReturn

from ledger.checkpoint import Checkpoint, verify_signature
from ledger.errors import (
    EnvironmentFaultError,
    EvidenceRefusedError,
    InvalidInputError,
    WitnessDisagreesError,
    WitnessRefusedError,
)
from ledger.note import LARGEST_NOTE_BYTES, MOST_SIGNATURES, NoteFormError, Signature, SignatureType
from ledger.outside.http import Reply, UnreachableError, post, printable_address
from ledger.proof import ConsistencyProof
from ledger.trust import read_checkpoint
from ledger.witness.decision import SIZE_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledger.note import VerifierKey

_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_WORDS_SHOWN = 200
_NO_TIME = datetime.min.replace(tzinfo=UTC)
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
    """Ask a witness to cosign a checkpoint, and return its verified cosignatures, one for each key.

    Where it gives several by one key, that of the latest time is returned.

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
    if not witness_keys or any(key.type is SignatureType.ED25519 for key in witness_keys):
        raise InvalidInputError(
            f"no key to check the cosignatures of {url} with",
            next_step="give the keys that the witness published: ledger witness list shows them there",
        )
    _, checkpoint = read_checkpoint(note)
    target = f"{url.rstrip('/')}/add-checkpoint"
    place = printable_address(target, "the witness's")
    known_size = min(old_size, checkpoint.size)
    for attempt in (1, 2):
        request = ConsistencyProof(known_size, tuple(make_proof(known_size)), note)
        reply = _post(target, request.encode(), timeout_seconds)
        status, content_type, body = reply.status, reply.content_type, reply.body
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
    """Return the newest line of each trusted key; one that claims to be by such a key has to hold."""
    try:
        signatures = _lines_of_signatures(body.decode())
    except (UnicodeDecodeError, NoteFormError):
        raise EvidenceRefusedError(
            "cosignature", "lines of signatures", repr(body[:80]), place=place
        ) from None
    found: dict[VerifierKey, tuple[datetime, Signature]] = {}
    for signature in signatures:
        for key in keys:
            if signature.is_by(key):
                verified = verify_signature(key, signature, checkpoint)
                if verified is None:
                    raise EvidenceRefusedError(
                        "cosignature", f"a valid one by {key}", "one that does not hold", place=place
                    )
                signed_at = verified.signed_at or _NO_TIME
                if key not in found or found[key][0] < signed_at:
                    found[key] = signed_at, signature
    if not found:
        raise EvidenceRefusedError(
            "cosignature",
            f"one by {' or '.join(map(str, keys))}",
            ", ".join(f"{each.name}+{each.key_id.hex()}" for each in signatures),
            place=place,
            next_step="check that the keys are those that this witness publishes",
        )
    return tuple(signature for _, signature in found.values())


def _lines_of_signatures(text: str) -> list[Signature]:
    lines = text.removesuffix("\n").split("\n")
    if not text.endswith("\n") or len(lines) > MOST_SIGNATURES:
        raise NoteFormError("not lines of signatures")
    return [Signature.parse(line) for line in lines]


def _post(place: str, data: bytes, timeout_seconds: int) -> Reply:
    try:
        return post(
            place,
            data,
            {"Content-Type": "text/plain; charset=utf-8"},
            timeout_seconds=timeout_seconds,
            largest_bytes=LARGEST_NOTE_BYTES,
        )
    except UnreachableError as error:
        raise EnvironmentFaultError(
            f"the witness at {place} cannot be reached: {error.reason}",
            next_step="check the address and that the witness runs, then try again",
        ) from error
