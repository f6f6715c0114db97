"""``ledger checkpoint``."""

from __future__ import annotations

import base64
import re
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.common import Session, ledger_command
from ledger.cli.passphrase import Passphrase, passphrase_option
from ledger.errors import DatabaseUnavailableError, InvalidInputError
from ledger.outside.writing import write_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.checkpoint import SigningKey
    from ledger.publish import Published
    from ledger.sign import SignedHead
    from ledger.store.ledger import Ledger

_EVERY = re.compile(r"([1-9][0-9]{0,6})(s|m|h)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Duration(click.ParamType[int]):
    """A number of seconds, minutes or hours: 10s, 5m, 1h; as whole seconds."""

    name = "duration"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it or fail as a usage error."""
        form = _EVERY.fullmatch(value)
        if form is None:
            self.fail(f"{value!r} is not a time span such as 10s, 5m or 1h", param, ctx)
        return int(form[1]) * _SECONDS[form[2]]


@ledger_command("checkpoint")
@click.option("--every", type=Duration(), metavar="SPAN", help="Go on, once in each span (10s, 5m, 1h).")
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
    dry_run: bool,
    passphrase: Passphrase,
) -> None:
    """Sign the head of the ledger's tree, so that nobody can change what it covers unnoticed.

    A head that does not follow from the last one signed is refused. The checkpoint is kept below the
    home folder; give copies of it to others.
    """
    from ledger.outside.keyring import Purpose

    if entries and tiles is None:
        raise InvalidInputError("--entries goes with --tiles DIR")
    if dry_run:
        _tell_head(session)
        return
    with session.ledger() as ledger:
        keys = session.keyring().load(Purpose.CHECKPOINT, ledger.origin, passphrase)
        maker = _Maker(session, keys, tiles, entries, out)
        if every is None:
            maker.make(ledger, force=force)
            return
        with _asked_to_stop() as stop:
            while True:
                try:
                    maker.make(ledger, force=True)
                except DatabaseUnavailableError as error:
                    session.tell(f"warning: {error.message}; trying again in {every} s")
                if stop.wait(every):
                    session.tell("stopped")
                    return


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes one checkpoint after the other, each with all that was asked for."""

    session: Session
    keys: tuple[SigningKey, ...]
    tiles: Path | None
    entries: bool
    out: Path | None

    def make(self, ledger: Ledger, *, force: bool) -> None:
        from ledger.publish import publish_tiles
        from ledger.sign import sign_head

        session = self.session
        head = sign_head(ledger, self.keys, session.checkpoints(), progress=session.progress())
        published = None
        if self.tiles is not None:
            published = publish_tiles(
                ledger,
                head.note,
                head.checkpoint,
                self.tiles,
                entries=self.entries,
                progress=session.progress(),
            )
        if self.out is not None and str(self.out) != "-":
            write_file(self.out, head.note.encode(), force=force)
        if str(self.out) == "-" and not session.as_json:
            click.echo(head.note.encode().decode(), nl=False)
            return
        session.emit_line(_document(head, published), _words(head, published))


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


def _document(head: SignedHead, published: Published | None) -> dict[str, Any]:
    return {
        "schema": "ledger.checkpoint/1",
        "dry_run": False,
        "origin": head.checkpoint.origin,
        "tree_size": head.checkpoint.size,
        "root_hash": base64.b64encode(head.checkpoint.root_hash).decode(),
        "note": head.note.encode().decode(),
        "file": str(head.path),
        "fresh": head.fresh,
        "tiles_written": None if published is None else published.tiles_written,
    }


def _words(head: SignedHead, published: Published | None) -> str:
    verb = "Signed" if head.fresh else "Was signed already:"
    lines = [
        f"{verb} {head.checkpoint.size} events of {head.checkpoint.origin}",
        f"tree root  {base64.b64encode(head.checkpoint.root_hash).decode()}",
        f"kept in    {head.path}",
    ]
    if published is not None:
        lines.append(f"tiles      {published.tiles_written} files written")
    return "\n".join(lines)


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C or SIGTERM sets, so that what is under way is finished first."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
