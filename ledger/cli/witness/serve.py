"""``ledger witness serve``."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.common import Output, plain_command
from ledger.cli.passphrase import Passphrase, passphrase_option
from ledger.cli.witness.setup import FOLDER, SCHEMA, broken_words
from ledger.clock import SystemClock
from ledger.errors import EnvironmentFaultError

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.errors import WitnessStateError


class AddressType(click.ParamType[Any]):
    """HOST:PORT, with an IPv6 address in brackets."""

    name = "address"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Read the address or fail as a usage error."""
        host, colon, port = str(value).rpartition(":")
        plain = host.removeprefix("[").removesuffix("]")
        bracketed = host == f"[{plain}]"
        if not colon or not plain or (":" in plain) != bracketed or not port.isascii() or not port.isdigit():
            self.fail(f"{value!r} is not HOST:PORT, for example 127.0.0.1:8080 or [::1]:8080", param, ctx)
        if len(port) > 5 or int(port) > 65_535:
            self.fail(f"{port} is not a port", param, ctx)
        return plain, int(port)


@plain_command("serve")
@FOLDER
@click.option(
    "--listen", type=AddressType(), default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT",
    help="Where to listen; port 0 takes a free one. It speaks no TLS: put a reverse proxy in front.",
)  # fmt: skip
@click.option("--prefix", default="/", show_default=True, metavar="PATH", help="Of the paths it answers to.")
@passphrase_option
def serve(
    output: Output, *, folder: Path, listen: tuple[str, int], prefix: str, passphrase: Passphrase
) -> None:
    """Answer add-checkpoint requests (C2SP tlog-witness) over HTTP until it is told to stop.

    POST PREFIX/add-checkpoint cosigns; GET PREFIX/keys gives the public keys. Each request is a line on
    stderr. SIGTERM and SIGINT end it in order, once what has arrived is answered. A log of which what is
    kept cannot be relied on is named there at the start, and is the only one that gets no cosignatures.
    """
    from ledger.witness.folder import WitnessFolder
    from ledger.witness.server import WitnessServer
    from ledger.witness.service import Witness

    witness_folder = WitnessFolder.open(folder)
    clock = SystemClock()
    witness = Witness(witness_folder, witness_folder.signing_keys(passphrase), clock, output.tell)
    broken: list[WitnessStateError] = []
    watched = len(witness_folder.logs(broken.append))
    for error in broken:  # shows now, not only at a request; other logs are served all the same
        for line in broken_words(error, witness.evidence):
            output.tell(line)
    host, port = listen
    try:
        server = WitnessServer(witness, host=host, port=port, prefix=prefix, clock=clock, tell=output.tell)
    except OSError as error:
        raise EnvironmentFaultError(
            f"cannot listen on {host} port {port}: {error.strerror or error}",
            next_step="give another address: --listen HOST:PORT",
        ) from None
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with server:
        output.emit_line(
            {"schema": SCHEMA, "action": "serve", "name": witness_folder.name, "url": server.url},
            f"Witness {witness_folder.name} watches {watched} logs"
            f"{f' ({len(broken)} more cannot be relied on)' if broken else ''}; "
            f"submission prefix {server.url}",
        )
        stopping.wait()
        output.tell("stopping")
