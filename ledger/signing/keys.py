"""Keys of a ledger: made outside the database, and their coming and going recorded in it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.clock import Clock, SystemClock, format_time
from ledger.errors import InvalidInputError, NotFoundError
from ledger.events.envelope import Draft
from ledger.outside.keyring import Purpose
from ledger.signing.head import SignedHead, sign_head

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ledger.canonical import JsonObject
    from ledger.checkpoint import SigningKey
    from ledger.outside.checkpoints import CheckpointFolder
    from ledger.outside.keyring import Keyring, StoredKey
    from ledger.store.ledger import Ledger


def key_name(origin: str, purpose: Purpose) -> str:
    """Return the name of a ledger's keys: the origin signs checkpoints, ``ORIGIN/bundles`` signs bundles."""
    return origin if purpose is Purpose.CHECKPOINT else f"{origin}/{purpose}s"


def generate_keys(
    ledger: Ledger, keyring: Keyring, purpose: Purpose, passphrase: bytes, *, clock: Clock | None = None
) -> list[StoredKey]:
    """Make the keys of a purpose and record ``SigningKeyRegistered`` for each.

    Keys that are there already but were not recorded yet, after an interruption, are recorded.

    Raises:
        InvalidInputError: there are recorded keys of this purpose, or the passphrase is too short.
        AppendNotPermittedError: this role may not record them; nothing was made.
    """
    name = key_name(ledger.origin, purpose)
    ledger.check_may_append("SigningKeyRegistered")
    keyring.finish_promotion()
    keys = keyring.find(purpose, name, "current")
    if not keyring.is_complete(purpose, name) or all(is_registered(ledger, key) for key in keys):
        keys = keyring.generate(purpose, name, passphrase)
    _record(ledger, "SigningKeyRegistered", keys, clock, {})
    return keys


def load_signing_keys(
    ledger: Ledger, keyring: Keyring, passphrase: Callable[[], bytes]
) -> tuple[SigningKey, ...]:
    """Return the keys that sign checkpoints, if the ledger has recorded that they do.

    Raises:
        NotFoundError: there are none.
        InvalidInputError: the ledger has not recorded one, or has recorded its retirement.
        KeyUnusableError: wrong passphrase.
    """
    for key in keyring.find(Purpose.CHECKPOINT, ledger.origin, "current"):
        if not is_registered(ledger, key):
            raise InvalidInputError(
                f"the key {key.verifier} is not recorded in this ledger; nothing was signed",
                next_step="ledger keys generate, which records the keys that are there",
            )
        if _is_recorded(ledger, "SigningKeyRetired", key):
            raise InvalidInputError(
                f"the ledger has recorded that the key {key.verifier} signs no more; nothing was signed",
                next_step="ledger keys rotate --reason REASON, which goes on where it was interrupted",
            )
    return keyring.load(Purpose.CHECKPOINT, ledger.origin, passphrase)


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did.

    Attributes:
        retired: the keys that sign no more.
        registered: the keys that sign from here on.
        handover: the checkpoint that both signed, so that who trusts the old key can learn the new one;
            signed by the new key alone where the old one was compromised; None for other purposes.
    """

    retired: list[StoredKey]
    registered: list[StoredKey]
    handover: SignedHead | None


def rotate_keys(
    ledger: Ledger,
    keyring: Keyring,
    checkpoints: CheckpointFolder,
    purpose: Purpose,
    *,
    passphrase: Callable[[], bytes],
    new_passphrase: Callable[[], bytes],
    reason: str,
    compromised_at: datetime | None = None,
    clock: Clock | None = None,
) -> Rotation:
    """Put new keys in the place of the current ones, and record both; an interrupted rotation goes on.

    Args:
        ledger: where it is recorded.
        keyring: where the keys are.
        checkpoints: where the handover is kept.
        purpose: of the keys.
        passphrase: of the current keys.
        new_passphrase: of the new keys.
        reason: recorded with the retirement.
        compromised_at: since when somebody else may have held the current keys; they then sign no more.
        clock: of the events and the handover.

    Raises:
        NotFoundError: there is no current key.
        InvalidInputError: a compromise is given, and a rotation for another reason was begun before.
        KeyUnusableError: wrong passphrase.
        LedgerBehindError, ChainBrokenError: the head cannot be signed.
    """
    name = key_name(ledger.origin, purpose)
    now = (clock or SystemClock()).now()
    if compromised_at is not None and compromised_at > now:
        raise InvalidInputError(
            f"the time of the compromise, {format_time(compromised_at)}, has not come yet"
        )
    ledger.check_may_append("SigningKeyRetired")
    signs = purpose is Purpose.CHECKPOINT
    if keyring.finish_promotion():  # all else was done before it began
        _refuse_other_reason(compromised_at, "was finished just now: its new keys are the current ones")
        registered = keyring.find(purpose, name, "current")
        keys = keyring.load(purpose, name, new_passphrase) if signs else ()
        handover = sign_head(ledger, keys, checkpoints, clock=clock) if signs else None
        return Rotation(keyring.find(purpose, name, "retired"), registered, handover)
    current = keyring.find(purpose, name, "current")
    if not current:
        raise NotFoundError(
            f"there is no {purpose} key of {name} in {keyring.folder}",
            next_step=f"ledger keys generate --purpose {purpose}",
        )
    old = () if compromised_at is not None or not signs else keyring.load(purpose, name, passphrase)
    fresh = keyring.find(purpose, name, "next")
    if not keyring.is_complete(purpose, name, "next"):
        fresh = keyring.generate(purpose, name, new_passphrase(), state="next")
    new = keyring.load(purpose, name, new_passphrase, state="next") if signs else ()
    if any(_is_recorded(ledger, "SigningKeyRetired", key) for key in current):
        _refuse_other_reason(compromised_at, "has recorded the retirement already, without the theft")
    _record(ledger, "SigningKeyRegistered", fresh, clock, {"reason": reason})
    retirement: JsonObject = {"reason": reason}
    if compromised_at is not None:
        retirement["compromised_at"] = format_time(compromised_at)
    _record(ledger, "SigningKeyRetired", current, clock, retirement)
    handover = sign_head(ledger, (*old, *new), checkpoints, clock=clock) if signs else None
    keyring.promote(purpose, name)
    return Rotation(current, keyring.find(purpose, name, "current"), handover)


def _refuse_other_reason(compromised_at: datetime | None, what: str) -> None:
    """A theft must not vanish in a rotation that was begun for another reason."""
    if compromised_at is not None:
        raise InvalidInputError(
            f"a rotation that was interrupted {what}; the time of the compromise was not recorded",
            next_step="ledger keys rotate --reason REASON until it is done, ledger keys list, and then again "
            "with --compromised-at for the keys that were stolen",
        )


def is_registered(ledger: Ledger, key: StoredKey) -> bool:
    """Tell whether the ledger has recorded that a key signs."""
    return _is_recorded(ledger, "SigningKeyRegistered", key)


def _record(
    ledger: Ledger, event_type: str, keys: list[StoredKey], clock: Clock | None, more: JsonObject
) -> None:
    """Record an event for each key, once."""
    occurred_at = format_time((clock or SystemClock()).now())
    ledger.append(
        Draft.from_json(
            {
                "id": str(_event_id(event_type, key)),
                "type": event_type,
                "occurred_at": occurred_at,
                "data": {
                    "name": key.verifier.name,
                    "public_key": key.verifier.encode(),
                    "purpose": str(key.purpose),
                    **more,
                },
            }
        )
        for key in keys
        if not _is_recorded(ledger, event_type, key)
    )


def _is_recorded(ledger: Ledger, event_type: str, key: StoredKey) -> bool:
    return ledger.find_event(_event_id(event_type, key)) is not None


def _event_id(event_type: str, key: StoredKey) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"{event_type} {key.verifier.encode()}")
