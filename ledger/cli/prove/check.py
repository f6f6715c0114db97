"""``ledger prove check``."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.common import Output, plain_command
from ledger.cli.trust_options import Trust, trust_options
from ledger.clock import format_time
from ledger.errors import EvidenceRefusedError, InvalidInputError
from ledger.note import NoteFormError
from ledger.outside.writing import read_small_file
from ledger.proof import (
    ConsistencyProof,
    InclusionProof,
    check_consistency,
    check_inclusion,
    is_inclusion_proof,
)
from ledger.trust import trust_checkpoint

if TYPE_CHECKING:
    from ledger.trust import TrustedCheckpoint


@plain_command("check")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--event",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The event's bytes (ledger show --canonical); one line end after them is passed over.",
)
@click.option(
    "--old-checkpoint",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="For a consistency proof: the older checkpoint.",
)
@click.option(
    "--foreign", is_flag=True, help="The entry is of another kind of log: only its hash is checked."
)
@trust_options
def check(
    output: Output,
    *,
    file: Path,
    event: Path | None,
    old_checkpoint: Path | None,
    foreign: bool,
    trust: Trust,
) -> None:
    """Check a proof offline: proof, event, checkpoint and keys have to fit together.

    Exits 3 and names the check that fails where they do not.
    """
    data = read_small_file(file)
    if event is not None and old_checkpoint is not None:
        raise InvalidInputError(
            "an inclusion proof is checked with an event, a consistency proof with an older checkpoint",
            next_step="give --event or --old-checkpoint, and not both",
        )
    # What is given beside it says which proof is meant; its own first line may have been changed.
    told = (event is None) != (old_checkpoint is None)
    try:
        if event is not None if told else is_inclusion_proof(data):
            _inclusion(output, data, event, trust, foreign=foreign)
        else:
            _consistency(output, data, old_checkpoint, trust)
    except NoteFormError as error:
        raise EvidenceRefusedError(
            "proof",
            "a proof in its one form",
            error.problem,
            place=str(file),
            next_step="give the file that ledger prove inclusion or consistency wrote, as it is",
        ) from None


def _inclusion(output: Output, data: bytes, event: Path | None, trust: Trust, *, foreign: bool) -> None:
    if event is None:
        raise InvalidInputError(
            "an inclusion proof says something of an event: give its bytes",
            place=("--event",),
            next_step="ledger show SEQUENCE --canonical > FILE, by whoever has the ledger",
        )
    policy = trust.policy()
    entry = read_small_file(event)
    if not foreign:  # a line of an export ends so; an entry of another log may end so itself
        entry = entry.removesuffix(b"\n")
    stamped_at = trust.stamped_at(InclusionProof.parse(data).checkpoint)
    verdict = check_inclusion(data, entry, policy, stamped_at=stamped_at, foreign=foreign)
    shown = {
        "kind": "inclusion",
        "sequence": verdict.sequence,
        "leaf_hash": verdict.leaf_hash.hex(),
        "event_id": verdict.event_id,
        "event_type": verdict.event_type,
    }
    kind = verdict.event_type or "of a foreign log"
    _tell(output, verdict.trusted, shown, f"Entry {verdict.sequence} ({kind}) is in the log")


def _consistency(output: Output, data: bytes, old_checkpoint: Path | None, trust: Trust) -> None:
    if old_checkpoint is None:
        raise InvalidInputError(
            "this is no inclusion proof; a consistency proof is checked against an older checkpoint",
            place=("--old-checkpoint",),
            next_step="give the checkpoint that you kept",
        )
    policy = trust.policy()
    # What was kept needs no witness and no timestamp: whoever kept it is the witness.
    older = trust_checkpoint(
        read_small_file(old_checkpoint), replace(policy, required_witnesses=0, compromised_at=None)
    )
    stamped_at = trust.stamped_at(ConsistencyProof.parse(data).checkpoint)
    trusted = check_consistency(data, older, policy, stamped_at=stamped_at)
    size = older.checkpoint.size
    shown = {"kind": "consistency", "old_size": size}
    _tell(output, trusted, shown, f"The log only grew from {size} events")


def _tell(output: Output, trusted: TrustedCheckpoint, shown: dict[str, Any], words: str) -> None:
    checkpoint = trusted.checkpoint
    not_checked = []
    if not trusted.cosignatures:
        not_checked.append("witnesses: no cosignature of one that you trust; others may be shown another log")
    if trusted.stamped_at is None:
        not_checked.append("when it was signed: no timestamp was given")
    document = {
        "schema": "ledger.prove-check/1",
        "ok": True,
        **shown,
        "origin": checkpoint.origin,
        "tree_size": checkpoint.size,
        "root_hash": base64.b64encode(checkpoint.root_hash).decode(),
        "signed_by": [str(each.key) for each in trusted.log_signatures],
        "witnesses": list(trusted.witnesses),
        "stamped_at": None if trusted.stamped_at is None else format_time(trusted.stamped_at),
        "not_checked": not_checked,
    }
    lines = [
        f"{words}, under the checkpoint of {checkpoint.size} entries of {checkpoint.origin}.",
        f"signed by  {', '.join(document['signed_by'])}",
        f"witnesses  {', '.join(trusted.witnesses) or 'none that you trust'}",
        *(
            f"cosigned   {format_time(each.signed_at)} by {each.key.name}"
            for each in trusted.cosignatures
            if each.signed_at is not None
        ),
        *([] if trusted.stamped_at is None else [f"timestamp  before {format_time(trusted.stamped_at)}"]),
        *(f"not checked: {each}" for each in not_checked),
    ]
    output.emit(document, "\n".join(lines))
