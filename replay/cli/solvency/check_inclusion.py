"""``replay solvency check-inclusion``."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.amounts import format_exact
from ledger.cli.common import Output, plain_command
from ledger.cli.trust_options import Trust, trust_options
from ledger.clock import format_time
from ledger.outside.writing import read_small_file
from replay.cli.solvency.options import expected_options, named, stamped_at

if TYPE_CHECKING:
    from replay.solvency import CheckedInclusion, Expected

CHECK_INCLUSION_SCHEMA = "replay.solvency.check-inclusion/1"
NOT_CHECKED = (
    "whether this is what you should be owed: compare it with your own records",
    "whether others are left out: their own files, or a replay of the whole ledger, show that",
)


@plain_command("check-inclusion")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--customer", metavar="NAME", help="Whose file it has to be.")
@expected_options
@trust_options
def check_inclusion(
    output: Output, *, file: Path, customer: str | None, expected: Expected, trust: Trust
) -> None:
    """Check offline that a customer is in a venue's committed liabilities, and with how much.

    Exits 3 and names the check that fails where leaf, tree, commitment, checkpoint and keys do not fit.
    """
    from replay.solvency import Inclusion, check_inclusion_file

    policy = trust.policy()
    data = read_small_file(file)
    stamped = stamped_at(trust, lambda: Inclusion.parse(data).commitment_proof)
    checked = check_inclusion_file(data, policy, named(expected, customer), stamped_at=stamped)
    not_checked = [*NOT_CHECKED]
    if not checked.in_log.trusted.cosignatures:
        not_checked.append("witnesses: no cosignature of one that you trust; others may be shown another log")
    if not expected.limits_age:
        not_checked.append("how old the state may be: an old file says nothing of today (--not-before)")
    if customer is None:
        not_checked.append("whether it is your own file: give --customer NAME, or see that the name is yours")
    _tell(output, checked, not_checked)


def _tell(output: Output, checked: CheckedInclusion, not_checked: list[str]) -> None:
    header, owed = checked.inclusion.header, checked.inclusion.owed()
    trusted = checked.in_log.trusted
    signed_by = [str(each.key) for each in trusted.log_signatures]
    document = {
        "schema": CHECK_INCLUSION_SCHEMA,
        "ok": True,
        "customer": checked.inclusion.customer,
        "owed": {asset: format_exact(owed[asset]) for asset in sorted(owed)},
        "origin": header.origin,
        "sequence": header.as_of_sequence,
        "time": format_time(header.time),
        "commitment_sequence": checked.in_log.sequence,
        "checkpoint_size": trusted.checkpoint.size,
        "log_root": base64.b64encode(trusted.checkpoint.root_hash).decode(),
        "liabilities_root": checked.commitment.liabilities_root.hex(),
        "undetermined": [*header.undetermined],
        "signed_by": signed_by,
        "witnesses": list(trusted.witnesses),
        "not_checked": not_checked,
    }
    amounts = [f"  {format_exact(owed[asset])} {asset}" for asset in sorted(owed)] or ["  nothing"]
    lines = [
        f"{checked.inclusion.customer} is in the liabilities of {header.origin}, and is owed",
        *amounts,
        f"after sequence {header.as_of_sequence}, {format_time(header.time)}",
        f"committed at sequence {checked.in_log.sequence}, under the checkpoint of "
        f"{trusted.checkpoint.size} events",
        f"signed by  {', '.join(signed_by)}",
        f"witnesses  {', '.join(trusted.witnesses) or 'none that you trust'}",
        *([f"not all known: claims on {', '.join(header.undetermined)}"] if header.undetermined else []),
        *(f"not checked: {each}" for each in not_checked),
    ]
    output.emit(document, "\n".join(lines))
