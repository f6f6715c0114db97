"""What every error has: a message, a next step, an exit code; and the kinds that commands tell apart."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import ClassVar

# Line breaks, terminal sequences, and what is not seen or turns the text after it around.
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def escaped(text: str) -> str:
    """Return text of anybody's choosing without what breaks, hides or turns around what is printed."""
    return _CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


class ExitCode(IntEnum):
    """Exit codes of both commands (docs/reference/cli.md)."""

    OK = 0
    NEGATIVE_VERDICT = 1
    USAGE = 2
    INTEGRITY_BROKEN = 3
    ENVIRONMENT = 4
    NOT_FOUND = 5
    INTERRUPTED = 130


class LedgerError(Exception):
    """Base of every error that this project raises on purpose.

    Attributes:
        message: what is wrong and where, in one sentence.
        next_step: the command or change to try next, or None.
        exit_code: what a command exits with when this error ends it.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.ENVIRONMENT

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class InvalidInputError(LedgerError, ValueError):
    """Something that the caller gave is not acceptable.

    It is a ValueError too, so that a model's field validators may raise it.

    Attributes:
        place: where it was given, outermost first: ``("fills.ndjson", "line 7", "data.quantity")``.
        problem: what is wrong with it, without the place.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, problem: str, *, place: tuple[str, ...] = (), next_step: str | None = None) -> None:
        place = tuple(escaped(part) for part in place)  # a field's name may be anything
        where = ", ".join(place)
        super().__init__(f"{where}: {problem}" if where else problem, next_step=next_step)
        self.problem = problem
        self.place = place

    def within(self, *outer: str) -> InvalidInputError:
        """Return the same error with its place put inside ``outer`` (a file, a line)."""
        return type(self)(self.problem, place=(*outer, *self.place), next_step=self.next_step)


class IntegrityError(LedgerError):
    """A hash, link, proof or signature does not hold."""

    exit_code = ExitCode.INTEGRITY_BROKEN


class EnvironmentFaultError(LedgerError):
    """The surroundings do not allow the work: database, schema, disk, installation."""

    exit_code = ExitCode.ENVIRONMENT


class NotFoundError(LedgerError):
    """What was asked for is not in the ledger."""

    exit_code = ExitCode.NOT_FOUND
