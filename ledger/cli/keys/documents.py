"""Keys as every command of the group shows them, and the option that names their purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger.outside.keyring import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.outside.keyring import StoredKey

SCHEMA = "ledger.keys/1"
LEDGER_PURPOSES = (Purpose.CHECKPOINT, Purpose.BUNDLE)

purpose_option = click.option(
    "--purpose",
    type=click.Choice([str(each) for each in LEDGER_PURPOSES]),
    default=str(Purpose.CHECKPOINT),
    show_default=True,
    callback=lambda _context, _parameter, value: Purpose(value),
    help="What the keys sign.",
)


def key_documents(keys: Iterable[StoredKey]) -> list[dict[str, Any]]:
    """Return keys for ``--json``."""
    return [
        {
            "purpose": str(key.purpose),
            "state": key.state,
            "name": key.verifier.name,
            "id": key.verifier.id.hex(),
            "type": key.verifier.type.name.lower(),
            "public_key": key.verifier.encode(),
            "file": str(key.file),
        }
        for key in keys
    ]


def key_lines(keys: Iterable[StoredKey]) -> list[str]:
    """Return a line for each key."""
    return [
        f"{key.purpose:<10}  {key.state:<8}  {key.verifier.type.name.lower():<11}  {key.verifier}"
        for key in keys
    ]
