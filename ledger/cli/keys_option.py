"""Public keys on the command line: as the text that their owner published, or as a file of such lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger.errors import InvalidInputError
from ledger.note import NoteFormError, VerifierKey
from ledger.outside.writing import read_small_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def parse_keys(values: Iterable[str]) -> tuple[VerifierKey, ...]:
    """Read public keys, each a vkey (``name+id+base64``) or a file with one vkey a line.

    In a file, empty lines and those that start with # are passed over. A key given twice counts once.

    Raises:
        InvalidInputError: neither a key nor a file that can be read, a line that is no key, or a file
            without keys; names the file and the line.
    """
    return tuple(dict.fromkeys(key for value in values for key in _parse(value)))


def keys_option(
    flag: str, name: str, *, help: str, required: bool = False  # noqa: A002 (click's word)
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # fmt: skip
    """Add an option that may be repeated and gives ``tuple[VerifierKey, ...]`` under ``name``."""

    def parsed(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> Any:
        try:
            return parse_keys(values)
        except InvalidInputError as error:
            raise error.within(flag) from None

    return click.option(
        flag, name, multiple=True, required=required, callback=parsed, metavar="VKEY|FILE", help=help
    )


def _parse(value: str) -> list[VerifierKey]:
    try:
        return [VerifierKey.parse(value.strip())]
    except NoteFormError as error:
        no_key = error
    path = Path(value)
    try:
        data = read_small_file(path)
    except InvalidInputError as no_file:
        if value.count("+") >= 2:  # meant as a key
            raise no_key from None
        raise InvalidInputError(
            no_file.problem,
            place=no_file.place,
            next_step="give the public key as text (name+id+base64), or a file with one such key a line",
        ) from None
    keys = []
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            try:
                keys.append(VerifierKey.parse(line.strip()))
            except NoteFormError as error:
                raise error.within(str(path), f"line {number}") from None
    if not keys:
        raise InvalidInputError("the file holds no public key", place=(str(path),))
    return keys
