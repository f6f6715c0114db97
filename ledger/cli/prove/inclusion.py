"""``ledger prove inclusion``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from ledger.canonical import leaf_hash
from ledger.cli.common import Session, ledger_command, whole_number
from ledger.cli.prove.trees import Log, opened, tiles_option
from ledger.errors import EvidenceRefusedError, InvalidInputError, NotFoundError
from ledger.outside.writing import read_small_file, write_file
from ledger.prove import prove_inclusion
from ledger.report import printable
from ledger.trust import read_checkpoint

if TYPE_CHECKING:
    from ledger.proof import InclusionProof


@ledger_command("inclusion")
@click.argument("event", metavar="SEQUENCE|ID")
@click.option(
    "--checkpoint",
    "checkpoint_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The checkpoint to prove against (default: the newest one kept).",
)
@tiles_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Where to write the proof (default: SEQUENCE.tlog-proof; - is stdout).",
)
@click.option(
    "--event-out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the event's bytes, too, which a checker needs.",
)
@click.option("--force", is_flag=True, help="Replace FILE.")
@click.option("--dry-run", is_flag=True, help="Make and check the proof, write nothing.")
def inclusion(
    session: Session,
    *,
    event: str,
    checkpoint_file: Path | None,
    tiles: Path | None,
    out: Path | None,
    event_out: Path | None,
    force: bool,
    dry_run: bool,
) -> None:
    """Prove that an event is in the log: a receipt for whoever sent it (C2SP tlog-proof).

    The file holds the path of hashes and the signed checkpoint; with the event's bytes it is checked
    offline by ledger prove check.
    """
    with opened(session, tiles) as log:
        index = _index(log, event)
        note, checkpoint = (
            log.newest() if checkpoint_file is None else read_checkpoint(read_small_file(checkpoint_file))
        )
        if checkpoint.origin != log.name:
            raise EvidenceRefusedError("origin", log.name, checkpoint.origin, place=str(checkpoint_file))
        if index >= checkpoint.size:
            raise NotFoundError(
                f"the checkpoint covers {checkpoint.size} events, and event {index} is not among them",
                next_step="ledger checkpoint",
            )
        proof = prove_inclusion(log.tree, index, note, checkpoint)
        entry = log.entry(index) if event_out is not None else None
        if entry is not None and leaf_hash(entry) != log.tree.leaf(index):
            raise EvidenceRefusedError("entries", log.tree.leaf(index).hex(), leaf_hash(entry).hex())
    target = out or Path(f"{index}.tlog-proof")
    if not dry_run:
        if event_out is not None and entry is not None:
            write_file(event_out, entry, force=force)
        if str(target) == "-":
            if not session.as_json:
                click.echo(proof.encode().decode(), nl=False)
                return
        else:
            write_file(target, proof.encode(), force=force)
    session.emit(
        _document(log.name, proof, checkpoint.size, target, dry_run=dry_run),
        f"Event {index} of {printable(log.name)} is under the checkpoint of {checkpoint.size} events.\n"
        + (
            "Nothing was written (--dry-run)."
            if dry_run
            else f"Proof in {target}. Next: ledger prove check {target} --event {event_out or 'FILE'} "
            "--trusted-key KEY"
            + ("" if event_out else f"\nThe event's bytes: ledger show {index} --canonical > FILE")
        ),
    )


def _index(log: Log, event: str) -> int:
    index = whole_number(event)
    if index is not None:
        return index
    try:
        event_id = UUID(event)
    except ValueError:
        raise InvalidInputError(
            f"{event[:40]!r} is neither a sequence nor an event's id", next_step="ledger log"
        ) from None
    return log.place_of(event_id)


def _document(
    origin: str, proof: InclusionProof, size: int, target: Path, *, dry_run: bool
) -> dict[str, Any]:
    return {
        "schema": "ledger.prove-inclusion/1",
        "dry_run": dry_run,
        "origin": origin,
        "sequence": proof.index,
        "tree_size": size,
        "hashes": len(proof.hashes),
        "proof": proof.encode().decode(),
        "file": None if dry_run or str(target) == "-" else str(target),
    }
