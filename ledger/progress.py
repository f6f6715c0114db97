"""How long work tells how far it has come; what is drawn, if anything, is the caller's choice."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Something that is told how far work has come."""

    def start(self, total: int | None, label: str) -> None:
        """Begin: ``total`` steps, or None where that is not known."""

    def advance(self, steps: int) -> None:
        """So many more steps are done."""

    def finish(self) -> None:
        """The work is over."""


class _Silent:
    def start(self, total: int | None, label: str) -> None:
        pass

    def advance(self, steps: int) -> None:
        pass

    def finish(self) -> None:
        pass


SILENT: Progress = _Silent()
"""Tells nobody."""
