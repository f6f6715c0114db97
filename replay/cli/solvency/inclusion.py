"""``replay solvency inclusion``."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.common import Session, ledger_command
from ledger.outside.writing import write_file
from replay.cli.solvency.options import newest_proof
from replay.cli.text import amounts

INCLUSION_SCHEMA = "replay.solvency.inclusion/1"


@ledger_command("inclusion")
@click.argument("account")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    required=True,
    metavar="FILE",
    help="Where to write the file (- is stdout).",
)
@click.option(
    "--proof",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The proof, with its private part (default: the newest one that was made from this home).",
)
@click.option(
    "--all-signatures",
    is_flag=True,
    help="Keep the checkpoint's ML-DSA-44 signatures, too, 3 kB each (they stand in the published proof).",
)
@click.option("--force", is_flag=True, help="Replace FILE.")
@click.option("--dry-run", is_flag=True, help="Make the file and say what is in it, write nothing.")
def inclusion(
    session: Session,
    *,
    account: str,
    out: Path,
    folder: Path | None,
    all_signatures: bool,
    force: bool,
    dry_run: bool,
) -> None:
    """Write the file with which a customer checks offline that what they are owed is in the proof.

    ACCOUNT is a customer, or an account: then the file is that of its customer, for whom alone it is.
    """
    from replay.commitments import ProofFolder

    place = newest_proof(session) if folder is None else folder
    made = ProofFolder(place).inclusion_of(account, all_signatures=all_signatures)
    content = made.encode()
    to_stdout = str(out) == "-"
    if to_stdout and not dry_run and not session.as_json:
        click.echo(content, nl=False)
        return
    if not to_stdout and not dry_run:
        write_file(out, content, force=force, private=True)
    session.emit(
        {
            "schema": INCLUSION_SCHEMA,
            "dry_run": dry_run,
            "customer": made.customer,
            "sequence": made.header.as_of_sequence,
            "bytes": len(content),
            "file": None if to_stdout else str(out),
            "inclusion": content.decode() if to_stdout else None,
        },
        f"{made.customer} is owed {amounts(made.owed())} as of sequence {made.header.as_of_sequence}.\n"
        + (
            f"The inclusion has {len(content):,} bytes. Nothing was written (--dry-run)."
            if dry_run
            else f"Inclusion in {out} ({len(content):,} bytes). Next: replay solvency check-inclusion {out} "
            "--trusted-key KEY"
        ),
    )
