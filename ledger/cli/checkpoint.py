"""``ledger checkpoint``."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.common import Session, ledger_command
from ledger.cli.keys_option import keys_option
from ledger.cli.passphrase import Passphrase, passphrase_option
from ledger.cli.repeating import Span, asked_to_stop, changed_keys
from ledger.errors import EnvironmentFaultError, InvalidInputError
from ledger.outside.writing import write_file

if TYPE_CHECKING:
    from ledger.note import VerifierKey
    from ledger.signing.checkpoint import CheckpointMaker, MadeCheckpoint
    from ledger.store.ledger import Ledger


@ledger_command("checkpoint")
@click.option("--every", type=Span(), metavar="SPAN", help="Go on, once in each span (10s, 5m, 1h).")
@click.option(
    "--tiles",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Bring a folder of tiles up to date, hashes only (C2SP tlog-tiles).",
)
@click.option("--entries", is_flag=True, help="With --tiles: the events' bytes too, for everyone to read.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write the checkpoint to FILE, too (- is stdout).",
)
@click.option("--force", is_flag=True, help="Replace FILE.")
@click.option(
    "--witness",
    "witnesses",
    multiple=True,
    metavar="URL",
    help="Ask this witness to cosign; may be repeated.",
)
@keys_option("--witness-key", "witness_keys", help="A public key of a witness that is asked.")
@click.option(
    "--require-witnesses",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Publish nothing, and exit 4, unless so many of them cosigned.",
)
@click.option(
    "--tsa", metavar="URL", help="Ask this authority for a timestamp (RFC 3161), once a checkpoint."
)
@click.option("--dry-run", is_flag=True, help="Say what would be signed; sign and write nothing.")
@passphrase_option
def checkpoint(
    session: Session,
    *,
    every: int | None,
    tiles: Path | None,
    entries: bool,
    out: Path | None,
    force: bool,
    witnesses: tuple[str, ...],
    witness_keys: tuple[VerifierKey, ...],
    require_witnesses: int,
    tsa: str | None,
    dry_run: bool,
    passphrase: Passphrase,
) -> None:
    """Sign the head of the ledger's tree, so that nobody can change what it covers unnoticed.

    A head that does not follow from the last one signed is refused. The checkpoint is kept below the
    home folder; give copies of it to others.
    """
    from ledger.outside.http import printable_address
    from ledger.signing.checkpoint import CheckpointMaker
    from ledger.signing.keys import load_signing_keys
    from ledger.trust import TrustPolicy

    if entries and tiles is None:
        raise InvalidInputError("--entries goes with --tiles DIR")
    if bool(witnesses) != bool(witness_keys):
        raise InvalidInputError(
            "a witness is asked at its URL and believed by its key",
            next_step="give both --witness URL and --witness-key VKEY|FILE",
        )
    if require_witnesses and not witnesses:
        raise InvalidInputError(
            "witnesses are required, and none is named", next_step="give --witness URL and --witness-key"
        )
    for url in (*witnesses, *([tsa] if tsa is not None else [])):
        printable_address(url, "an")
    if dry_run:
        _tell_head(session)
        return
    if every is None and out is not None and out.exists() and not force:
        raise InvalidInputError(f"{out} exists already; nothing was signed", next_step="--force replaces it")
    with session.ledger(writing=True) as ledger:  # one that was set back is said to be so first
        keys = load_signing_keys(ledger, session.keyring(), passphrase)
        if witnesses:  # nobody is a witness of themselves, and no more are required than are given
            TrustPolicy.of(
                tuple(key.verifier for key in keys),
                witness_keys=witness_keys,
                required_witnesses=require_witnesses,
            )
        maker = CheckpointMaker(
            keys,
            session.checkpoints(),
            witnesses,
            witness_keys,
            require_witnesses,
            tsa,
            tiles,
            entries,
        )
        _make(session, ledger, maker, out, says_always=True)
        if every is not None:
            _go_on(session, ledger, maker, out, every, passphrase)


def _make(
    session: Session, ledger: Ledger, maker: CheckpointMaker, out: Path | None, *, says_always: bool
) -> None:
    made = maker.make(ledger, session.progress())
    for problem in made.problems:
        session.tell(f"warning: {problem.message}")
    if out is not None and str(out) != "-":
        write_file(out, made.head.note.encode(), force=True)
    if not (made.head.fresh or says_always):
        return
    if str(out) == "-" and not session.as_json:
        click.echo(made.head.note.encode().decode(), nl=False)
    else:
        session.emit_line(_document(made), _words(made))


def _go_on(
    session: Session,
    ledger: Ledger,
    maker: CheckpointMaker,
    out: Path | None,
    every_seconds: int,
    passphrase: Passphrase,
) -> None:
    """Make a checkpoint in each span until asked to stop; say only what is new."""
    with asked_to_stop() as stop:
        while not stop.wait(every_seconds):
            try:
                rotated = changed_keys(session, ledger, maker.keys, passphrase)
                maker = maker if rotated is None else replace(maker, keys=rotated)
                _make(session, ledger, maker, out, says_always=False)
            except EnvironmentFaultError as error:
                session.tell(f"warning: {error.message}; trying again in {every_seconds} s")
        session.tell("stopped")


def _tell_head(session: Session) -> None:
    from ledger.store.rollback import check_not_behind, ledger_size
    from ledger.store.tree import event_tree

    with session.ledger() as ledger, ledger.reading() as connection:
        check_not_behind(connection, ledger.origin, session.checkpoints())
        size = ledger_size(connection)
        root_hash = base64.b64encode(event_tree(connection, size).root()).decode()
    session.emit(
        {
            "schema": "ledger.checkpoint/1",
            "dry_run": True,
            "tree_size": size,
            "root_hash": root_hash,
            "note": None,
        },
        f"Would sign {size} events of {ledger.origin} with the root {root_hash}.",
    )


def _document(made: MadeCheckpoint) -> dict[str, Any]:
    head, published = made.head, made.published
    return {
        "schema": "ledger.checkpoint/1",
        "dry_run": False,
        "origin": head.checkpoint.origin,
        "tree_size": head.checkpoint.size,
        "root_hash": base64.b64encode(head.checkpoint.root_hash).decode(),
        "note": head.note.encode().decode(),
        "file": str(head.path),
        "fresh": head.fresh,
        "cosigned_by": made.cosigners,
        "timestamp": None if made.token is None else str(made.token),
        "tiles_written": None if published is None else published.tiles_written,
        "warnings": [problem.message for problem in made.problems],
    }


def _words(made: MadeCheckpoint) -> str:
    head = made.head
    lines = [
        f"{'Signed' if head.fresh else 'Was signed already:'} {head.checkpoint.size} events "
        f"of {head.checkpoint.origin}",
        f"tree root  {base64.b64encode(head.checkpoint.root_hash).decode()}",
        f"kept in    {head.path}",
    ]
    if made.cosigners:
        lines.append(f"cosigned   {', '.join(made.cosigners)}")
    if made.token is not None:
        lines.append(f"timestamp  {made.token}")
    if made.published is not None:
        lines.append(f"tiles      {made.published.tiles_written} files written")
    return "\n".join(lines)
