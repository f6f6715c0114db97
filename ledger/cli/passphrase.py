"""The passphrase of private keys: from a file, the environment or a prompt; never shown."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.errors import InvalidInputError
from ledger.outside.writing import read_small_file

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE = "LEDGER_KEY_PASSPHRASE"


@dataclass(frozen=True, slots=True)
class Passphrase:
    """Where the passphrase comes from; calling it gives the passphrase, as ``Keyring.load`` wants it.

    Attributes:
        file: a file that holds it, or None for the environment or a prompt.
    """

    file: Path | None = None

    def __call__(self) -> bytes:
        """Return the passphrase of keys that are there.

        Raises:
            InvalidInputError: the file cannot be read or is empty, or there is nothing to read it from.
        """
        return self._resolve(confirm=False)

    def for_new_key(self) -> bytes:
        """Return the passphrase that a new key shall have; a prompt asks for it twice.

        Raises:
            InvalidInputError: as for calling it.
        """
        return self._resolve(confirm=True)

    def _resolve(self, *, confirm: bool) -> bytes:
        if self.file is not None:
            data = read_small_file(self.file).removesuffix(b"\n").removesuffix(b"\r")
            if not data or b"\n" in data:
                problem = "holds more than one line" if data else "holds no passphrase"
                raise InvalidInputError(f"the file {problem}", place=(str(self.file),))
            return data
        from_environment = os.environb.get(VARIABLE.encode())
        if from_environment:
            return from_environment
        if sys.stdin is None or not sys.stdin.isatty():
            raise InvalidInputError(
                "the private key needs its passphrase, and there is no terminal to ask for it",
                next_step=f"--passphrase-file FILE, or the environment variable {VARIABLE}",
            )
        words = click.prompt(
            "Passphrase of the private key", hide_input=True, confirmation_prompt=confirm, err=True
        )
        return str(words).encode()


def passphrase_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--passphrase-file``; the command gets a :class:`Passphrase` as ``passphrase``."""
    return click.option(
        "--passphrase-file",
        "passphrase",
        type=click.Path(path_type=Path, dir_okay=False),
        callback=lambda _context, _parameter, file: Passphrase(file),
        metavar="FILE",
        help=f"File with the passphrase of the private keys (default: {VARIABLE}, else a prompt).",
    )(function)
