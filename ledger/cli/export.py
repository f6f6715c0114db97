"""``ledger export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli.common import Session, ledger_command

if TYPE_CHECKING:
    from ledger.export.bundle import ExportResult


@ledger_command("export")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--to-sequence", type=click.IntRange(min=0), metavar="N", help="Export through sequence N (default: all)."
)
@click.option(
    "--table", "names", multiple=True, metavar="NAME", help="Only this table; may be repeated (default: all)."
)
@click.option("--no-tables", is_flag=True, help="Only the events, without tables.")
@click.option("--force", is_flag=True, help="Replace an older bundle in DIRECTORY.")
@click.option("--dry-run", is_flag=True, help="Say what would be exported, write nothing.")
def export(
    session: Session,
    *,
    directory: Path,
    to_sequence: int | None,
    names: tuple[str, ...],
    no_tables: bool,
    force: bool,
    dry_run: bool,
) -> None:
    """Write the log as an evidence bundle that checks itself offline.

    DIRECTORY gets every event's bytes, tables of the state they lead to, a manifest with SHA-256
    hashes, a README for a person, and a verifier that needs nothing but Python.
    """
    from ledger.export.bundle import export_bundle
    from ledger.export.tables import load_tables

    tables = [] if no_tables else load_tables(names or None)
    with session.ledger() as ledger:
        if dry_run:
            last = ledger.head().sequence if to_sequence is None else ledger.event(to_sequence).sequence
            session.emit(
                {
                    "schema": "ledger.export/1",
                    "dry_run": True,
                    "directory": str(directory.absolute()),
                    "origin": ledger.origin,
                    "events": last + 1,
                    "tables": [table.name for table in tables],
                },
                f"Would export {last + 1} events of {ledger.origin} to {directory}, with the tables "
                f"{', '.join(table.name for table in tables) or 'none'}.",
            )
            return
        result = export_bundle(
            ledger,
            directory,
            to_sequence=to_sequence,
            tables=tables,
            force=force,
            progress=session.progress(),
        )
    session.emit(result.document(), _words(result))


def _words(result: ExportResult) -> str:
    manifest = result.manifest
    lines = [
        f"Exported {manifest.events} events of {manifest.origin} to {result.directory}",
        f"head hash  {manifest.head_hash}",
        f"tree root  {manifest.root_hash}",
        *(f"  {file.size_bytes:>12}  {file.name}" for file in manifest.files),
        f"Next: ledger check-bundle {result.directory} --expect-root {manifest.root_hash}",
    ]
    return "\n".join(lines)
