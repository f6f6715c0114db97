"""Exact decimals: one text form, exact arithmetic, and division that names its rounding.

Inside :func:`exact`, addition, subtraction and multiplication of Decimals never round; an
operation that would have to round raises instead. Every division goes through
:func:`divide` and every shortening through :func:`round_to`, where rounding and scale are named.
"""

from __future__ import annotations

import re
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    ROUND_UP,
    Context,
    Decimal,
    DivisionByZero,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Overflow,
    getcontext,
    setcontext,
)
from enum import StrEnum
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ledger.errors import AmountError

if TYPE_CHECKING:
    from collections.abc import Callable

Parameters = ParamSpec("Parameters")
Returned = TypeVar("Returned")

MAXIMUM_DIGITS = 38
MAXIMUM_SCALE = 18
ZERO = Decimal(0)
ONE = Decimal(1)
_TWO = Decimal(2)

# Products of a few 38-digit numbers fit easily; what does not fit raises (Inexact is trapped).
_EXACT_DIGITS = 1000
EXACT = Context(
    prec=_EXACT_DIGITS,
    Emin=MIN_EMIN,
    Emax=MAX_EMAX,
    traps=[Inexact, InvalidOperation, DivisionByZero, Overflow, FloatOperation],
)
_ROUNDING = Context(
    prec=1000, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[InvalidOperation, DivisionByZero, FloatOperation]
)

_ALWAYS_IN_RANGE = MAXIMUM_SCALE  # characters: so few cannot hold too many digits
_PLAIN = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?", re.ASCII)
_NORMAL = re.compile(r"(?:0|-?(?:[1-9][0-9]*(?:\.[0-9]*[1-9])?|0\.[0-9]*[1-9]))", re.ASCII)


class Rounding(StrEnum):
    """Roundings, named as the decimal module names them."""

    HALF_EVEN = ROUND_HALF_EVEN
    DOWN = ROUND_DOWN
    UP = ROUND_UP
    FLOOR = ROUND_FLOOR
    CEILING = ROUND_CEILING


class Exact:
    """What :func:`exact` returns: a context manager, and a decorator that is free inside another one."""

    __slots__ = ("_outer",)

    def __enter__(self) -> None:
        self._outer = getcontext()
        setcontext(EXACT.copy())

    def __exit__(self, *_: object) -> None:
        setcontext(self._outer)

    def __call__(self, function: Callable[Parameters, Returned]) -> Callable[Parameters, Returned]:
        """Return ``function`` so that it runs in an exact context: the caller's, where that is one."""

        @wraps(function)
        def within(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Returned:
            # No other context has as many digits: asking for them is cheaper than entering once more.
            if getcontext().prec == _EXACT_DIGITS:
                return function(*args, **kwargs)
            with Exact():
                return function(*args, **kwargs)

        return within


def exact() -> Exact:
    """Make Decimal arithmetic exact for the block; works as a decorator too.

    Raises (inside the block):
        decimal.Inexact: an operation had to round; use :func:`divide` or :func:`round_to`.
        decimal.FloatOperation: a float was mixed in.
    """
    return Exact()


def parse_amount(text: str) -> Decimal:
    """Read a plain decimal and return it in normal form: ``1.50`` is 1.5 and ``-0`` is 0.

    Raises:
        AmountError: not a plain decimal (exponents, a plus sign and separators are refused), more
            than 38 significant digits, or more than 18 digits after the point.
    """
    if isinstance(text, str) and len(text) <= _ALWAYS_IN_RANGE and _NORMAL.fullmatch(text):
        return Decimal(text)
    match = _PLAIN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise AmountError(
            f"{text!r} is not a plain decimal",
            next_step='write numbers as strings such as "1234.5", without exponent',
        )
    sign, whole, fraction = match.groups()
    whole = whole.lstrip("0")
    fraction = (fraction or "").rstrip("0")
    digits = (whole + fraction).lstrip("0") if not whole else whole + fraction
    if len(fraction) > MAXIMUM_SCALE:
        raise AmountError(f"{text} has more than {MAXIMUM_SCALE} digits after the point")
    if len(digits) > MAXIMUM_DIGITS:
        raise AmountError(f"{text} has more than {MAXIMUM_DIGITS} significant digits")
    if not digits:
        return ZERO
    return Decimal(f"{sign}{whole or '0'}.{fraction}" if fraction else sign + whole)


def read_amount(text: str) -> Decimal:
    """Read a number as a source prints it, exponent allowed (``-6.876e-05``), and return it in normal form.

    For importers of foreign files only; drafts and stored events use :func:`parse_amount`.

    Raises:
        AmountError: not a number, not finite, or out of the range of :func:`parse_amount`.
    """
    stripped = text.strip()
    try:
        value = Decimal(stripped)
    except ArithmeticError:
        raise AmountError(f"{text!r} is not a number") from None
    if not value.is_finite() or not stripped.isascii() or "_" in stripped:
        raise AmountError(f"{text!r} is not a number")
    _check_magnitude(value)
    return parse_amount(f"{value:f}") if value else ZERO


def is_normal(text: str) -> bool:
    """Tell whether a text is a decimal in the ledger's normal form and range."""
    if _NORMAL.fullmatch(text) is None:
        return False
    whole, _, fraction = text.lstrip("-").partition(".")
    significant = (whole + fraction).lstrip("0")
    return len(fraction) <= MAXIMUM_SCALE and len(significant) <= MAXIMUM_DIGITS


def format_amount(value: Decimal) -> str:
    """Return a Decimal in normal form: no exponent, no superfluous zeros, ``-0`` as ``0``.

    Raises:
        AmountError: not finite, more than 38 significant digits, or more than 18 after the point.
    """
    text = str(value)
    if len(text) <= _ALWAYS_IN_RANGE and _NORMAL.fullmatch(text):
        return text
    if not value.is_finite():
        raise AmountError(f"{value} is not a finite number")
    _check_magnitude(value)
    text = format_exact(value)
    if not is_normal(text):
        raise AmountError(
            f"{text} is out of range: at most {MAXIMUM_DIGITS} digits, {MAXIMUM_SCALE} after the point"
        )
    return text


def _check_magnitude(value: Decimal) -> None:
    """Refuse by the exponent alone: written out, 1E+999999999 fills the memory."""
    if value and value.adjusted() >= MAXIMUM_DIGITS:
        raise AmountError(f"{value} has more than {MAXIMUM_DIGITS} significant digits")
    if value and value.adjusted() < -MAXIMUM_SCALE:
        raise AmountError(f"{value} has more than {MAXIMUM_SCALE} digits after the point")


def format_exact(value: Decimal) -> str:
    """Return a finite Decimal in plain form without superfluous zeros, whatever its length."""
    if not value:
        return "0"
    text = str(value)  # three times as quick as a format, and plain for nearly all amounts
    if "E" in text:
        text = f"{value:f}"
    if text[-1] == "0" and "." in text:
        text = text.rstrip("0").removesuffix(".")
    return text


def round_to(value: Decimal, scale: int, rounding: Rounding) -> Decimal:
    """Return ``value`` with at most ``scale`` digits after the point, rounded as named."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and -exponent <= scale:
        return value
    return value.quantize(Decimal(1).scaleb(-scale), rounding=rounding.value, context=_ROUNDING)


def divide(dividend: Decimal, divisor: Decimal, *, scale: int, rounding: Rounding) -> Decimal:
    """Return ``dividend / divisor`` correctly rounded to ``scale`` digits after the point.

    A whole quotient of so many more digits is taken with its exact remainder, so that it is rounded
    once only.

    Raises:
        ZeroDivisionError: the divisor is zero.
        AmountError: one of the two is not a finite number.
    """
    for value in (dividend, divisor):
        if not value.is_finite():
            raise AmountError(f"{value} is not a finite number")
    if not divisor:
        raise ZeroDivisionError(f"{dividend} is divided by zero")
    shifted = dividend.scaleb(scale, context=_ROUNDING)
    quotient, remainder = _ROUNDING.divmod(shifted, divisor)  # towards zero
    if remainder:
        negative = (shifted < 0) != (divisor < 0)
        if _away_from_zero(quotient, remainder, divisor, rounding, negative=negative):
            quotient = _ROUNDING.subtract(quotient, ONE) if negative else _ROUNDING.add(quotient, ONE)
    return (quotient or ZERO).scaleb(-scale, context=_ROUNDING)  # never a zero with a sign


def _away_from_zero(
    quotient: Decimal, remainder: Decimal, divisor: Decimal, rounding: Rounding, *, negative: bool
) -> bool:
    """Tell whether a quotient that was cut towards zero and left a remainder is rounded the other way."""
    match rounding:
        case Rounding.FLOOR:
            return negative
        case Rounding.CEILING:
            return not negative
        case Rounding.DOWN:
            return False
        case Rounding.UP:
            return True
        case Rounding.HALF_EVEN:
            twice = _ROUNDING.compare(_ROUNDING.multiply(remainder.copy_abs(), _TWO), divisor.copy_abs())
            return twice > 0 or (not twice and bool(_ROUNDING.remainder(quotient, _TWO)))
