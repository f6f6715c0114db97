"""Commands that go on until somebody stops them: how often, by which keys, and how they end."""

from __future__ import annotations

import re
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.checkpoint import SigningKey
    from ledger.cli.common import Session
    from ledger.cli.passphrase import Passphrase
    from ledger.store.ledger import Ledger

_FORM = re.compile(r"([1-9][0-9]{0,6})(s|m|h)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600}


class Span(click.ParamType[int]):
    """A number of seconds, minutes or hours: 10s, 5m, 1h; as whole seconds."""

    name = "duration"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it or fail as a usage error."""
        form = _FORM.fullmatch(value)
        if form is None:
            self.fail(f"{value!r} is not a time span such as 10s, 5m or 1h", param, ctx)
        return int(form[1]) * _SECONDS[form[2]]


@contextmanager
def asked_to_stop() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C or SIGTERM sets, so that what is under way is finished first."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def changed_keys(
    session: Session, ledger: Ledger, keys: tuple[SigningKey, ...], passphrase: Passphrase
) -> tuple[SigningKey, ...] | None:
    """Return the log's keys where others are current than those in use, and None where they are the same.

    Raises:
        LedgerError: as :func:`ledger.signing.keys.load_signing_keys`.
    """
    from ledger.outside.keyring import Purpose
    from ledger.signing.keys import load_signing_keys

    keyring = session.keyring()
    current = keyring.find(Purpose.CHECKPOINT, ledger.origin, "current")
    if [key.verifier for key in current] == [key.verifier for key in keys]:
        return None
    session.tell("the keys were rotated; the new ones sign from here on")
    return load_signing_keys(ledger, keyring, passphrase)
