"""``ledger prove consistency``."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.common import Session, ledger_command
from ledger.cli.prove.trees import opened, size_or_checkpoint, tiles_option
from ledger.errors import EvidenceRefusedError, NotFoundError
from ledger.outside.writing import write_file
from ledger.prove import Growth, prove_consistency
from ledger.report import printable

if TYPE_CHECKING:
    from ledger.checkpoint import Checkpoint
    from ledger.cli.prove.trees import Log
    from ledger.note import Note


@ledger_command("consistency")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="[NEW]", required=False)
@tiles_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Write the proof under the signed checkpoint of NEW, as a witness takes it (- is stdout).",
)
@click.option("--force", is_flag=True, help="Replace FILE.")
@click.option("--dry-run", is_flag=True, help="Make and check the proof, write nothing.")
def consistency(
    session: Session,
    *,
    old: str,
    new: str | None,
    tiles: Path | None,
    out: Path | None,
    force: bool,
    dry_run: bool,
) -> None:
    """Prove that the log only grew from OLD to NEW, each a tree size or a file with a checkpoint.

    NEW is the newest checkpoint where it is left out. The file is the body of a witness's
    add-checkpoint request (C2SP tlog-witness); ledger prove check --old-checkpoint checks it offline.
    """
    with opened(session, tiles) as log:
        old_size, old_given = size_or_checkpoint(old)
        new_size, new_given = size_or_checkpoint(new) if new is not None else _newest(log)
        for given in (old_given, new_given):
            if given is not None and given[1].origin != log.name:
                raise EvidenceRefusedError("origin", log.name, given[1].origin)
        signed = new_given or log.at(new_size)
        growth = prove_consistency(
            log.tree,
            old_size,
            new_size,
            old=None if old_given is None else old_given[1],
            new=None if signed is None else signed[1],
        )
    file = None if signed is None else growth.proof(signed[0]).encode()
    if out is not None and not dry_run:
        if file is None:
            raise NotFoundError(
                f"there is no checkpoint of {new_size} events to put under the proof",
                next_step="leave NEW out, or give a file with the checkpoint",
            )
        if str(out) != "-":
            write_file(out, file, force=force)
        elif not session.as_json:
            click.echo(file.decode(), nl=False)
            return
    document = _document(log.name, growth, file)
    session.emit({**document, "dry_run": dry_run, "file": out and str(out)}, _words(document, out))


def _newest(log: Log) -> tuple[int, tuple[Note, Checkpoint]]:
    newest = log.newest()
    return newest[1].size, newest


def _document(origin: str, growth: Growth, file: bytes | None) -> dict[str, Any]:
    return {
        "schema": "ledger.prove-consistency/1",
        "origin": origin,
        "old_size": growth.old_size,
        "new_size": growth.new_size,
        "old_root": base64.b64encode(growth.old_root).decode(),
        "new_root": base64.b64encode(growth.new_root).decode(),
        "hashes": [base64.b64encode(each).decode() for each in growth.hashes],
        "proof": None if file is None else file.decode(),
    }


def _words(document: dict[str, Any], out: Path | None) -> str:
    name, old_size, new_size = (document[each] for each in ("origin", "old_size", "new_size"))
    return "\n".join(
        [
            f"{printable(name)} grew from {old_size} to {new_size} events.",
            f"old root  {document['old_root']}",
            f"new root  {document['new_root']}",
            *document["hashes"],
            *([] if out is None else [f"Proof in {out}"]),
        ]
    )
