"""What commands about proofs of solvency share: where seed and proofs are, and how old a proof may be."""

from __future__ import annotations

import functools
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.errors import NotFoundError
from ledger.outside.writing import make_folder, read_small_file, write_file
from replay.cli.cuts import SequenceOrTime

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.cli.common import Session
    from ledger.cli.trust_options import Trust
    from replay.solvency import Expected

_FOLDER = "solvency"
_NEWEST = "newest-proof"
_MOST_PARTS = 16  # MAXIMUM_PARTS, whose package takes long to import; a test compares them


def seed_of(session: Session, file: Path | None, *, making: bool) -> bytes | None:
    """Return the seed of a file, else the ledger's own; a new one is made where there is none.

    Args:
        session: whose home keeps the ledger's own.
        file: another place, or None.
        making: whether a new one shall be made; without, None is returned where there is none.
    """
    from replay.commitments import make_seed, read_seed

    if file is not None:
        return read_seed(file)
    own = session.settings.home / _FOLDER / "seed"
    if own.exists():
        return read_seed(own)
    if not making:
        return None
    seed = make_seed(own)
    session.tell(f"a new seed, which blinds customers' leaves, is in {own}: keep it as secret as a key")
    return seed


def remember_proof(session: Session, folder: Path) -> None:
    """Keep in mind where the newest proof is, for ``inclusion``."""
    place = session.settings.home / _FOLDER
    make_folder(place, private=True)
    write_file(place / _NEWEST, f"{folder.absolute()}\n".encode(), force=True)


def newest_proof(session: Session) -> Path:
    """Return where the newest proof is.

    Raises:
        NotFoundError: none was made from this home.
    """
    file = session.settings.home / _FOLDER / _NEWEST
    if not file.exists():
        raise NotFoundError(
            "no proof was made from here", next_step="replay solvency prove --out DIR, or give --proof DIR"
        )
    return Path(read_small_file(file).decode().removesuffix("\n"))


parts_option = click.option(
    "--parts",
    type=click.IntRange(1, _MOST_PARTS),
    default=1,
    show_default=True,
    metavar="N",
    help="Split each customer over N leaves, so that no sibling shows anybody's whole claim.",
)
seed_file_option = click.option(
    "--seed-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Secret seed that blinds the leaves, 64 hexadecimal digits or more (default: one kept in the home).",
)


def expected_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--not-before``; the command gets an :class:`~replay.solvency.Expected` as ``expected``."""

    @functools.wraps(function)
    def with_expected(*args: Any, not_before: int | datetime | None, **given: Any) -> Any:
        from replay.solvency import Expected

        expected = Expected(
            not_before_sequence=not_before if isinstance(not_before, int) else None,
            not_before_time=not_before if isinstance(not_before, datetime) else None,
        )
        return function(*args, expected=expected, **given)

    return click.option(
        "--not-before",
        type=SequenceOrTime(),
        metavar="N|TIME",
        help="Refuse a state that is older: an old proof says nothing of today.",
    )(with_expected)


def named(expected: Expected, customer: str | None) -> Expected:
    """Return what is expected, and whose file it has to be (None: anybody's)."""
    from dataclasses import replace

    return replace(expected, customer=customer)


def stamped_at(trust: Trust, commitment_proof: Callable[[], bytes]) -> datetime | None:
    """Verify a given timestamp over the checkpoint in a commitment's inclusion proof.

    Args:
        trust: which says whether there is one.
        commitment_proof: gives the proof, where there is.

    Raises:
        EvidenceRefusedError: there is no checkpoint in it.
        TimestampInvalidError: the token does not hold for it.
    """
    from ledger.errors import EvidenceRefusedError
    from ledger.note import NoteFormError
    from ledger.proof import InclusionProof

    if not trust.has_timestamp:
        return None
    try:
        return trust.stamped_at(InclusionProof.parse(commitment_proof()).checkpoint)
    except NoteFormError as error:
        raise EvidenceRefusedError("proof", "an inclusion proof", error.problem) from None
