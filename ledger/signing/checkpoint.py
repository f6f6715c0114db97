"""A checkpoint with all that belongs to it: cosignatures of witnesses, a timestamp, published tiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ledger.checkpoint import has_signed, without_false_lines
from ledger.errors import InvalidInputError, LedgerError, WitnessDisagreesError, WitnessesMissingError
from ledger.outside.writing import read_small_file, write_file
from ledger.progress import SILENT, Progress
from ledger.signing.head import SignedHead, sign_head
from ledger.signing.tiles import Published, publish_tiles
from ledger.store.tree import event_tree
from ledger.timestamp import check_imprint, parse_token, request_over_http
from ledger.trust import stamped_bytes
from ledger.witness.client import request_cosignatures

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ledger.checkpoint import SigningKey
    from ledger.note import VerifierKey
    from ledger.outside.checkpoints import CheckpointFolder
    from ledger.store.ledger import Ledger

TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class MadeCheckpoint:
    """What came of making a checkpoint.

    Attributes:
        head: the signed head, with its cosignatures.
        token: the file of its timestamp, or None.
        published: what was written of tiles, or None.
        problems: witnesses and authorities that could not be reached or refused.
        cosigners: the names of the witnesses whose cosignatures hold, of those whose keys were given.
    """

    head: SignedHead
    token: Path | None
    published: Published | None
    problems: list[LedgerError]
    cosigners: list[str]


@dataclass(frozen=True, slots=True)
class CheckpointMaker:
    """Makes checkpoints of one ledger, each with all that was asked for.

    Attributes:
        keys: the log's keys.
        checkpoints: where checkpoints are kept.
        witnesses: where witnesses answer.
        witness_keys: their keys.
        required_witnesses: how many of them must have cosigned before anything is published.
        authority: where a timestamp authority answers, or None.
        tiles: a folder to be brought up to date, or None.
        entries: whether events are published there, too.
    """

    keys: tuple[SigningKey, ...]
    checkpoints: CheckpointFolder
    witnesses: tuple[str, ...] = ()
    witness_keys: tuple[VerifierKey, ...] = ()
    required_witnesses: int = 0
    authority: str | None = None
    tiles: Path | None = None
    entries: bool = False

    def make(self, ledger: Ledger, progress: Progress = SILENT) -> MadeCheckpoint:
        """Sign the head, ask the others, and publish.

        Raises:
            WitnessesMissingError: too few witnesses cosigned; the checkpoint is kept, and not published.
            LedgerError: as :func:`ledger.signing.head.sign_head`, :func:`gather_cosignatures`, and
                :func:`ledger.signing.tiles.publish_tiles`.
        """
        head = sign_head(ledger, self.keys, self.checkpoints, progress=progress)
        problems: list[LedgerError] = []
        if self.witnesses:
            head, problems = gather_cosignatures(
                ledger, head, self.checkpoints, self.witnesses, self.witness_keys
            )
        cosigners = sorted(
            {key.name for key in self.witness_keys if has_signed(key, head.note, head.checkpoint)}
        )
        if len(cosigners) < self.required_witnesses:
            raise WitnessesMissingError(self.required_witnesses, tuple(cosigners), str(head.path), problems)
        token = None
        if self.authority is not None:
            try:
                token = gather_timestamp(head, self.checkpoints, self.authority)
            except LedgerError as error:
                problems.append(error)
        published = None
        if self.tiles is not None:
            published = publish_tiles(
                ledger, head.note, head.checkpoint, self.tiles, entries=self.entries, progress=progress
            )
        return MadeCheckpoint(head, token, published, problems, cosigners)


def gather_cosignatures(
    ledger: Ledger,
    head: SignedHead,
    checkpoints: CheckpointFolder,
    urls: Sequence[str],
    witness_keys: Sequence[VerifierKey],
    *,
    timeout_seconds: int = TIMEOUT_SECONDS,
) -> tuple[SignedHead, list[LedgerError]]:
    """Ask witnesses to cosign a head, and keep the checkpoint with what they gave.

    Where every witness has cosigned this head already, none is asked again.

    Args:
        ledger: proofs of growth are made from it.
        head: the signed head.
        checkpoints: where the checkpoint is kept.
        urls: where the witnesses answer.
        witness_keys: their keys; nothing else that they send is believed.
        timeout_seconds: for each request.

    Returns:
        The head with the cosignatures, and an error for each witness that could not be reached or refused.

    Raises:
        WitnessDisagreesError: a witness has seen another history of this log.
        InvalidInputError: a URL or a key is none of a witness.
    """
    refused: list[LedgerError] = []
    head = replace(head, note=without_false_lines(head.note, head.checkpoint, witness_keys))
    earlier = [size for size in checkpoints.sizes(ledger.origin) if size < head.checkpoint.size]

    def make_proof(old_size: int) -> list[bytes]:
        with ledger.reading() as connection:
            return event_tree(connection, head.checkpoint.size).consistency_proof(old_size)

    def ask(url: str) -> None:
        nonlocal head
        known = earlier[-1] if earlier else 0
        cosignatures = request_cosignatures(
            url, known, head.note.encode(), make_proof, witness_keys, timeout_seconds=timeout_seconds
        )
        head = replace(head, note=head.note.with_signatures(cosignatures))

    complete = all(has_signed(key, head.note, head.checkpoint) for key in witness_keys)
    for url in () if complete else urls:
        try:
            ask(url)
        except (WitnessDisagreesError, InvalidInputError):
            raise
        except LedgerError as error:
            refused.append(error)
    checkpoints.keep(head.note, head.checkpoint)
    return head, refused


def gather_timestamp(head: SignedHead, checkpoints: CheckpointFolder, url: str) -> Path:
    """Return the file of a token over a signed head; an authority is asked where there is none yet.

    A token that is over other bytes, because a key's line came since, is moved aside.

    Raises:
        TimestampAuthorityError: the authority cannot be reached or refuses.
        TimestampInvalidError: its reply answers another request.
    """
    origin, size = head.checkpoint.origin, head.checkpoint.size
    path, message = checkpoints.timestamp_path(origin, size), stamped_bytes(head.note, head.checkpoint)
    if path.exists() and not is_over(path, message):
        checkpoints.set_token_aside(origin, size)
    if not path.exists():
        write_file(path, request_over_http(url, message))
    return path


def is_over(path: Path, message: bytes) -> bool:
    """Tell whether the token in a file says that it is over these bytes; nothing is verified."""
    try:
        check_imprint(parse_token(read_small_file(path)), message)
    except LedgerError:
        return False
    return True
