"""``replay solvency page``."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.common import Output, plain_command
from ledger.outside.writing import write_file

PAGE_SCHEMA = "replay.solvency.page/1"


@plain_command("page")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=Path("check-inclusion.html"),
    show_default=True,
    metavar="FILE",
    help="Where to write the page (- is stdout).",
)
@click.option("--force", is_flag=True, help="Replace FILE.")
@click.option("--dry-run", is_flag=True, help="Say what would be written, write nothing.")
def page(output: Output, *, out: Path, force: bool, dry_run: bool) -> None:
    """Write the page with which customers check their inclusion file in a browser, offline.

    It is the same for every venue, holds no key, and asks no network for anything.
    """
    from replay.commitments.page import page as contents

    to_stdout, content = str(out) == "-", contents()
    if to_stdout and not dry_run and not output.as_json:
        click.echo(content, nl=False)
        return
    if not to_stdout and not dry_run:
        write_file(out, content, force=force)
    output.emit(
        {
            "schema": PAGE_SCHEMA,
            "dry_run": dry_run,
            "bytes": len(content),
            "file": None if to_stdout else str(out),
            "page": content.decode() if to_stdout else None,
        },
        f"The page has {len(content):,} bytes. Nothing was written (--dry-run)."
        if dry_run
        else f"{out}: open it in a browser, give it the inclusion file and the venue's published key.",
    )
