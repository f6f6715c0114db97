"""``ledger export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ledger.cli.common import Session, ledger_command
from ledger.cli.passphrase import Passphrase, passphrase_option

if TYPE_CHECKING:
    from ledger.checkpoint import SigningKey
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
@click.option("--sign", is_flag=True, help="Sign it with the ledger's bundle key, in DIRECTORY.signature.")
@passphrase_option
@click.option("--force", is_flag=True, help="Replace an older bundle in DIRECTORY, with its signature.")
@click.option("--dry-run", is_flag=True, help="Say what would be exported, write nothing.")
def export(
    session: Session,
    *,
    directory: Path,
    to_sequence: int | None,
    names: tuple[str, ...],
    no_tables: bool,
    sign: bool,
    passphrase: Passphrase,
    force: bool,
    dry_run: bool,
) -> None:
    """Write the log as an evidence bundle that checks itself offline.

    DIRECTORY gets every event's bytes, tables of the state they lead to, a manifest with SHA-256
    hashes, a README for a person, and a verifier that needs nothing but Python. With --sign the
    signature stands beside it, and shows whoever has the ledger's bundle key who made the bundle.
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
                    "signature": f"{directory.absolute()}.signature" if sign else None,
                },
                f"Would export {last + 1} events of {ledger.origin} to {directory}, with the tables "
                f"{', '.join(table.name for table in tables) or 'none'}{', and sign it' if sign else ''}.",
            )
            return
        # Before the export, which may take long: a wrong passphrase is told at once.
        keys = _keys(session, ledger.origin, passphrase) if sign else ()
        result = export_bundle(
            ledger,
            directory,
            to_sequence=to_sequence,
            tables=tables,
            keys=keys,
            force=force,
            progress=session.progress(),
        )
    session.emit(result.document(), _words(result))


def _keys(session: Session, origin: str, passphrase: Passphrase) -> tuple[SigningKey, ...]:
    from ledger.outside.keyring import Purpose
    from ledger.signing.keys import key_name

    return session.keyring().load(Purpose.BUNDLE, key_name(origin, Purpose.BUNDLE), passphrase)


def _words(result: ExportResult) -> str:
    manifest, check = result.manifest, f"ledger check-bundle {result.directory}"
    signature = f" --signature {result.signature} --bundle-key VKEY" if result.signature else ""
    lines = [
        f"Exported {manifest.events} events of {manifest.origin} to {result.directory}",
        f"head hash  {manifest.head_hash}",
        f"tree root  {manifest.root_hash}",
        *(f"  {file.size_bytes:>12}  {file.name}" for file in manifest.files),
        *([f"signed in  {result.signature}"] if result.signature else []),
        f"Next: {check} --expect-root {manifest.root_hash}{signature}",
    ]
    return "\n".join(lines)
