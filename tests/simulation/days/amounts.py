"""Exact arithmetic of the days: a context that never rounds, and roundings that are named."""

from __future__ import annotations

from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)
from fractions import Fraction

ZERO = Decimal(0)
ONE = Decimal(1)
EXACT = Context(prec=300, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
_ROUNDING = Context(prec=300, traps=[InvalidOperation, DivisionByZero])
_COARSE = Context(prec=12, rounding=ROUND_DOWN, traps=[InvalidOperation, DivisionByZero])
_STEPS = [Decimal(1).scaleb(-scale) for scale in range(19)]
_MODES = {"floor": ROUND_FLOOR, "ceiling": ROUND_CEILING, "down": ROUND_DOWN, "half_even": ROUND_HALF_EVEN}


def rounded(value: Decimal, scale: int, mode: str) -> Decimal:
    """Return a value with ``scale`` digits after the point at most; mode as in ``_MODES``."""
    return value.quantize(_STEPS[scale], rounding=_MODES[mode], context=_ROUNDING)


def of_fraction(value: Fraction, scale: int, mode: str) -> Decimal:
    """Return a fraction as a decimal of ``scale`` digits, rounded once."""
    scaled = value * 10**scale
    lower, remainder = divmod(scaled.numerator, scaled.denominator)
    if remainder:
        if mode == "ceiling":
            lower += 1
        elif mode == "half_even":
            twice = 2 * remainder
            lower += twice > scaled.denominator or (twice == scaled.denominator and lower % 2 == 1)
        elif mode == "down":
            lower += lower < 0
    return _ROUNDING.scaleb(Decimal(lower), -scale)


def quotient(dividend: Decimal, divisor: Decimal, scale: int, mode: str) -> Decimal:
    """Return dividend ÷ divisor, rounded once."""
    return of_fraction(Fraction(dividend) / Fraction(divisor), scale, mode)


def on_step(value: Fraction | Decimal, step: Decimal, mode: str) -> Decimal:
    """Return the multiple of a step (a tick, a lot) that a value is rounded to."""
    return of_fraction(Fraction(value) / Fraction(step), 0, mode) * step


def at_most(dividend: Decimal, divisor: Decimal) -> Decimal:
    """Return a quotient of two positive numbers that is never too large, in 12 digits."""
    return _COARSE.divide(dividend, divisor)
