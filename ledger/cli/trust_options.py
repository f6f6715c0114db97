"""What a person who checks evidence trusts, as options that several commands share."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.common import TIME
from ledger.cli.keys_option import keys_option
from ledger.errors import EvidenceRefusedError, InvalidInputError
from ledger.growth import GivenCheckpoint
from ledger.outside.writing import read_small_file
from ledger.trust import TrustPolicy, read_checkpoint, stamped_bytes, trust_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from ledger.checkpoint import Checkpoint
    from ledger.note import Note, VerifierKey
    from ledger.timestamp import Timestamp


class Trust:
    """Whom the person trusts.

    Attributes:
        log_keys: trusted keys of the log; none where the person gave none.
        origin: the log that is meant; None where the person left it to the keys' name.
    """

    def __init__(
        self, log_keys: tuple[VerifierKey, ...], token: Path | None, roots: Path | None, **given: Any
    ):
        self.log_keys = log_keys
        self.origin: str | None = given.get("origin")
        self._token = token
        self._roots = roots
        self._given = given
        if (token is None) != (roots is None):
            raise InvalidInputError(
                "a timestamp is checked against roots that you trust",
                next_step="give both --timestamp FILE and --tsa-root FILE",
            )

    @property
    def has_timestamp(self) -> bool:
        """Whether a timestamp token was given."""
        return self._token is not None

    @property
    def demands_signatures(self) -> bool:
        """Whether anything was given that only a checkpoint whose signature is checked can meet."""
        demands = (value for name, value in self._given.items() if name != "origin")
        return bool(self.log_keys) or self.has_timestamp or any(demands)

    def policy(self) -> TrustPolicy:
        """Return the policy.

        Raises:
            InvalidInputError: no key of the log is trusted, or the options contradict each other.
        """
        return TrustPolicy.of(self.log_keys, **self._given)

    def stamped_at(self, checkpoint: bytes) -> datetime | None:
        """Verify the given timestamp over a checkpoint; return the latest time that it allows, or None.

        That is its time and its accuracy together: before that, the checkpoint existed.

        Raises:
            EvidenceRefusedError: not a checkpoint.
            TimestampInvalidError: the token does not hold for it.
            InvalidInputError: a file cannot be read.
        """
        if self._token is None or self._roots is None:
            return None
        note, head = read_checkpoint(checkpoint)
        return verified_timestamp(self._token, self._roots, note, head).latest


def verified_timestamp(token: Path, roots: Path, note: Note, checkpoint: Checkpoint) -> Timestamp:
    """Verify the token in a file over a signed checkpoint, by roots in another.

    Raises:
        EvidenceRefusedError: not a token.
        TimestampInvalidError: it does not hold for this checkpoint.
        InvalidInputError: a file cannot be read, or the roots are no certificates.
    """
    from ledger.timestamp import load_roots, verify_token

    trusted, data = load_roots(roots), read_small_file(token)
    try:
        return verify_token(data, stamped_bytes(note, checkpoint), trusted)
    except InvalidInputError as error:
        raise EvidenceRefusedError(
            "timestamp", "a reply of a timestamp authority", error.message, place=str(token)
        ) from None


def given_checkpoints(paths: Sequence[Path], trust: Trust, *, stamped: bool = True) -> list[GivenCheckpoint]:
    """Read checkpoints that were kept elsewhere, and hold them to the trust where a key was given.

    Args:
        paths: their files.
        trust: whom the person trusts.
        stamped: whether the timestamp, the witnesses and the compromise are about these checkpoints; where
            they are about another one, whoever kept these is their witness.

    Raises:
        InvalidInputError: a file cannot be read, a timestamp is given for several of them, or something is
            demanded of their signatures and no key of the log is trusted.
        EvidenceRefusedError: one is no checkpoint, or does not stand up to the trust.
        TimestampInvalidError: the token does not hold for it.
    """
    if stamped and trust.has_timestamp and len(paths) != 1:
        raise InvalidInputError(
            "a timestamp is of one checkpoint", next_step="give one --trusted-checkpoint with --timestamp"
        )
    return [_given(path, trust, stamped=stamped) for path in paths]


def _given(path: Path, trust: Trust, *, stamped: bool) -> GivenCheckpoint:
    data = read_small_file(path)
    asked = trust.demands_signatures or trust.origin is not None
    if not trust.log_keys and not (stamped and asked):
        return GivenCheckpoint(str(path), read_checkpoint(data)[1], signature_checked=False)
    policy = trust.policy()
    if not stamped:
        policy = replace(policy, required_witnesses=0, compromised_at=None)
    trusted = trust_checkpoint(data, policy, stamped_at=trust.stamped_at(data) if stamped else None)
    return GivenCheckpoint(str(path), trusted.checkpoint, signature_checked=True)


def checkpoints_option(text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--trusted-checkpoint``, which may be repeated and gives paths as ``checkpoint_files``."""
    return click.option(
        "--trusted-checkpoint",
        "checkpoint_files",
        type=click.Path(path_type=Path, dir_okay=False),
        multiple=True,
        metavar="FILE",
        help=text,
    )


def trust_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of trust; the command gets a :class:`Trust` as ``trust``."""

    @functools.wraps(function)
    def with_trust(
        *args: Any,
        log_keys: tuple[VerifierKey, ...],
        origin: str | None,
        witness_keys: tuple[VerifierKey, ...],
        required_witnesses: int,
        timestamp: Path | None,
        tsa_root: Path | None,
        compromised_at: datetime | None,
        **given: Any,
    ) -> Any:
        trust = Trust(
            log_keys,
            timestamp,
            tsa_root,
            origin=origin,
            witness_keys=witness_keys,
            required_witnesses=required_witnesses,
            compromised_at=compromised_at,
        )
        return function(*args, trust=trust, **given)

    for option in reversed(_OPTIONS):
        option(with_trust)
    return with_trust


_OPTIONS = (
    keys_option(
        "--trusted-key",
        "log_keys",
        help="A public key of the log, as published; may be repeated.",
    ),
    click.option(
        "--origin", metavar="NAME", help="The log that is meant (default: the name of the trusted key)."
    ),
    keys_option("--witness-key", "witness_keys", help="A key of a witness that you trust; may be repeated."),
    click.option(
        "--require-witnesses",
        "required_witnesses",
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="How many of these witnesses must have cosigned.",
    ),
    click.option(
        "--timestamp",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="An RFC 3161 token over the checkpoint.",
    ),
    click.option(
        "--tsa-root",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Certificates of the timestamp authority that you trust (PEM or DER).",
    ),
    click.option(
        "--compromised-at",
        type=TIME,
        metavar="TIME",
        help="The log's keys may have been stolen then: what was witnessed or timestamped before counts.",
    ),
)
