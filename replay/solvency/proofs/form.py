"""Strict reading of the files of a solvency proof: a value has its one form, or is refused with its name."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from ledger.amounts import format_exact, parse_amount
from ledger.canonical import decode_canonical
from ledger.errors import InvalidInputError
from replay.solvency.proofs.errors import ProofFormError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from ledger.canonical import JsonObject, JsonValue

_IDENTIFIER = re.compile(r"[A-Za-z0-9._:/-]{1,128}", re.ASCII)


def canonical_file(data: bytes, what: str) -> JsonValue:
    """Return the value of a file that is one canonical JSON value and one LF.

    Raises:
        ProofFormError: it is something else.
    """
    if not data.endswith(b"\n"):
        raise ProofFormError(f"{what} does not end with a line end")
    try:
        return decode_canonical(data[:-1])
    except InvalidInputError as error:
        raise ProofFormError(f"{what}: {error.message}") from None


def members(value: JsonValue, keys: Iterable[str], what: str) -> JsonObject:
    """Return an object that has exactly these keys.

    Raises:
        ProofFormError: it is none, or has others.
    """
    if not isinstance(value, dict) or value.keys() != set(keys):
        raise ProofFormError(f"{what} is not an object of exactly {', '.join(sorted(keys))}")
    return value


def listed(value: JsonValue, what: str) -> list[JsonValue]:
    """Return an array.

    Raises:
        ProofFormError: it is none.
    """
    if not isinstance(value, list):
        raise ProofFormError(f"{what} is not an array")
    return value


def whole(value: JsonValue, what: str, *, least: int = 0, most: int | None = None) -> int:
    """Return an integer of a range.

    Raises:
        ProofFormError: it is none, or out of the range.
    """
    if type(value) is not int or value < least or (most is not None and value > most):
        raise ProofFormError(f"{what} is not an integer of {least} to {'2^53' if most is None else most}")
    return value


def text(value: JsonValue, what: str) -> str:
    """Return text.

    Raises:
        ProofFormError: it is none.
    """
    if not isinstance(value, str):
        raise ProofFormError(f"{what} is not text")
    return value


def is_identifier(name: str) -> bool:
    """Tell whether a name is one that an account, asset or ledger can have."""
    return _IDENTIFIER.fullmatch(name) is not None


def identifier(value: JsonValue) -> str:
    """Return an identifier.

    Raises:
        ProofFormError: it is none.
    """
    found = text(value, "a name")
    if not is_identifier(found):
        raise ProofFormError(f"{found[:80]!r} is not a name")
    return found


def amount(value: JsonValue, what: str) -> Decimal:
    """Return an amount in its one form.

    Raises:
        ProofFormError: it is none.
    """
    try:
        found = parse_amount(text(value, what))
    except InvalidInputError as error:
        raise ProofFormError(f"{what}: {error.message}") from None
    if format_exact(found) != value:
        raise ProofFormError(f"{what} is not written as {format_exact(found)}")
    return found


def amounts_of(value: JsonValue, what: str) -> dict[str, Decimal]:
    """Return an object of {asset: amount}.

    Raises:
        ProofFormError: it is none.
    """
    if not isinstance(value, dict):
        raise ProofFormError(f"{what} is not an object of amounts by asset")
    return {identifier(asset): amount(each, f"{what} of {asset}") for asset, each in value.items()}


def hexadecimal(value: JsonValue, what: str, size: int = 32) -> bytes:
    """Return bytes that are written in lowercase hexadecimal digits.

    Raises:
        ProofFormError: they are not, or of another number.
    """
    found = text(value, what)
    if re.fullmatch(f"[0-9a-f]{{{2 * size}}}", found, re.ASCII) is None:
        raise ProofFormError(f"{what} is not {2 * size} hexadecimal digits")
    return bytes.fromhex(found)


def ascending(names: Sequence[str], what: str) -> None:
    """Refuse names that do not stand in ascending order, each once.

    Raises:
        ProofFormError: they do not.
    """
    if any(before >= after for before, after in pairwise(names)):
        raise ProofFormError(f"{what} do not stand in ascending order, each once")


def texts_of(amounts: Mapping[str, Decimal]) -> str:
    """Return amounts in words, without those that are zero."""
    given = [f"{format_exact(amounts[asset])} {asset}" for asset in sorted(amounts) if amounts[asset]]
    return ", ".join(given) or "nothing"
