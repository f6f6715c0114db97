"""``replay solvency page``."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.common import Output, plain_command
from ledger.outside.writing import write_file


@plain_command("page")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("check-inclusion.html"),
    show_default=True,
    metavar="FILE",
    help="Where to write the page.",
)
@click.option("--force", is_flag=True, help="Replace FILE.")
def page(output: Output, *, out: Path, force: bool) -> None:
    """Write the page with which customers check their inclusion file in a browser, offline.

    It is the same for every venue, holds no key, and asks no network for anything.
    """
    from replay.commitments.page import page as contents

    write_file(out, contents(), force=force)
    output.emit(
        {"schema": "replay.solvency.page/1", "file": str(out)},
        f"{out}: open it in a browser, give it the inclusion file and the venue's published key.",
    )
