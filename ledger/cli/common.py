"""What every command shares: options, output, progress, errors and exit codes."""

from __future__ import annotations

import functools
import json
import logging
import os
import signal
import sys
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ledger.clock import parse_time
from ledger.errors import EnvironmentFaultError, ExitCode, InvalidInputError, LedgerError
from ledger.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from ledger.outside.checkpoints import CheckpointFolder
    from ledger.outside.keyring import Keyring
    from ledger.progress import Progress
    from ledger.store.ledger import Ledger

ERROR_SCHEMA = "ledger.error/1"
_MOST_DIGITS = 20  # of a number below 2^64
_INTERRUPTS: list[int] = []  # not empty once Ctrl-C was pressed


@dataclass(frozen=True, slots=True)
class Output:
    """Where a command's results and words go."""

    as_json: bool

    def emit(self, document: Mapping[str, Any], text: str) -> None:
        """Print a result: the JSON document with ``--json``, else the text."""
        click.echo(json.dumps(document, ensure_ascii=False, indent=2) if self.as_json else text)

    def emit_line(self, document: Mapping[str, Any], text: str) -> None:
        """Print one line of a list: JSON lines with ``--json``, else the text."""
        click.echo(json.dumps(document, ensure_ascii=False, separators=(",", ":")) if self.as_json else text)

    def tell(self, text: str) -> None:
        """Say something to the person, on stderr."""
        click.echo(text, err=True)

    def progress(self) -> Progress:
        """Return a progress bar on a terminal, and silence elsewhere."""
        return BarProgress() if sys.stderr.isatty() and not self.as_json else _silent()


@dataclass(frozen=True, slots=True)
class Session(Output):
    """What one command run was told by the options that all commands of a ledger share."""

    settings: Settings

    @contextmanager
    def ledger(self, *, writing: bool = False, accept_restore: str | None = None) -> Iterator[Ledger]:
        """Open the ledger of the settings for a block.

        Args:
            writing: whether something shall be recorded: a database that was set back behind a kept
                checkpoint is refused then.
            accept_restore: why such a database shall be taken as it is; this is recorded.
        """
        from ledger.signing.head import accept_restore as accept
        from ledger.store.ledger import Ledger

        checkpoints = self.checkpoints()
        with self.settings.existing_database() as url:
            if accept_restore is not None:
                with Ledger.open(url) as ledger:
                    event = accept(ledger, checkpoints, accept_restore)
                self.tell(
                    "the database is not behind any checkpoint; nothing was to be accepted"
                    if event is None
                    else f"RestoreAccepted is recorded at sequence {event.sequence}"
                )
            with Ledger.open(url, checkpoints if writing else None) as ledger:
                yield ledger

    def checkpoints(self) -> CheckpointFolder:
        """Return the checkpoints that are kept outside the database."""
        from ledger.outside.checkpoints import CheckpointFolder

        return CheckpointFolder(self.settings.checkpoints_folder)

    def keyring(self) -> Keyring:
        """Return the keys that are kept outside the database."""
        from ledger.outside.keyring import Keyring

        return Keyring(self.settings.keys_folder)


def _silent() -> Progress:
    from ledger.progress import SILENT

    return SILENT


class BarProgress:
    """A progress bar on stderr."""

    def __init__(self) -> None:
        self._bar: Any = None

    def start(self, total: int | None, label: str) -> None:
        """Show the bar."""
        self.finish()
        self._bar = click.progressbar(
            length=total or 0,
            label=label,
            file=sys.stderr,
            show_pos=True,
            update_min_steps=max(1, (total or 0) // 200),
        )
        self._bar.__enter__()

    def advance(self, steps: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bar.update(steps)

    def finish(self) -> None:
        """Leave the bar as it is and go to the next line."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


def ledger_command(*args: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a command whose first argument is the :class:`Session` of the shared options."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def with_session(
            database: str | None, home: Path | None, *, as_json: bool, debug: bool, **given: Any
        ) -> Any:
            del debug  # read by run(), which has to know it even when parsing fails
            return function(Session(as_json, Settings.load(database=database, home=home)), **given)

        return _command(with_session, (*_DATABASE_OPTIONS, *_OUTPUT_OPTIONS), args, kwargs)

    return decorate


def plain_command(*args: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Declare a command that needs no ledger; its first argument is the :class:`Output`."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def with_output(*, as_json: bool, debug: bool, **given: Any) -> Any:
            del debug  # read by run(), which has to know it even when parsing fails
            return function(Output(as_json), **given)

        return _command(with_output, _OUTPUT_OPTIONS, args, kwargs)

    return decorate


def _command(function: Callable[..., Any], options: tuple[Any, ...], args: Any, kwargs: Any) -> click.Command:
    for option in reversed(options):
        option(function)
    command: click.Command = click.command(*args, **kwargs)(function)
    return command


_DATABASE_OPTIONS = (
    click.option(
        "--database", metavar="URL",
        help="Postgres to use (default: LEDGER_DATABASE_URL, config file, embedded server).",
    ),
    click.option(
        "--home", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
        help="Folder of the config file, keys, checkpoints and the embedded server "
        "(default: LEDGER_HOME, ./.ledger).",
    ),
)  # fmt: skip
_OUTPUT_OPTIONS = (
    click.option("--json", "as_json", is_flag=True, help="Print machine-readable JSON on stdout."),
    click.option("--debug", is_flag=True, help="Show a traceback where an error ends the command."),
)


accept_restore_option = click.option(
    "--accept-restore",
    metavar="REASON",
    help="Go on although the database was set back behind a kept checkpoint; recorded as RestoreAccepted.",
)


def whole_number(value: str) -> int | None:
    """Return a sequence or a size that was given as a number; None where it is none, or is endless."""
    is_number = value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS
    return int(value) if is_number else None


class TimeType(click.ParamType[Any]):
    """An ISO 8601 time with its zone."""

    name = "time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read the time or fail as a usage error."""
        try:
            return parse_time(value)
        except InvalidInputError as error:
            next_step = f"; {error.next_step}" if error.next_step else ""
            self.fail(f"{error.message}{next_step}", param, ctx)


TIME = TimeType()


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is called, so that starting stays quick.

    Args:
        commands_by_name: ``module:attribute`` of each subcommand, which may be such a group itself.
        entry_point_group: where packages plug further subcommands in, or None.
        with_version: whether it has ``--version``, as a program has.
        kwargs: what click's own group takes.
    """

    def __init__(
        self,
        *,
        commands_by_name: Mapping[str, str],
        entry_point_group: str | None = None,
        with_version: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if with_version:
            self.params.append(
                click.Option(
                    ["--version"],
                    is_flag=True,
                    expose_value=False,
                    is_eager=True,
                    callback=_print_version,
                    help="Show the version.",
                )
            )
        self._commands_by_name = commands_by_name
        self._entry_point_group = entry_point_group

    def _plugged(self) -> dict[str, Any]:
        group = self._entry_point_group
        return {point.name: point for point in entry_points(group=group)} if group else {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the work."""
        del ctx
        return [*self._commands_by_name, *sorted(self._plugged())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a subcommand."""
        del ctx
        place = self._commands_by_name.get(cmd_name)
        if place is not None:
            module, _, name = place.partition(":")
            command: click.Command = getattr(import_module(module), name)
            return command
        point = self._plugged().get(cmd_name)
        return point.load() if point is not None else None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand; that nobody reads on is no verdict, though click would exit 1."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _stop_writing()
            return ExitCode.OK


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:  # noqa: FBT001 (click's protocol)
    if value and not ctx.resilient_parsing:
        click.echo(f"margin-ledger {version('margin-ledger')}")
        ctx.exit()


def _stop_writing() -> None:
    """Keep Python from complaining at exit where the reader went away (for example ``| head``)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(group: click.Group) -> NoReturn:
    """Run a command line and end the process with the documented exit code."""
    # Asked to end, leave in order: the embedded server is stopped by its last user.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    _remember_interrupts()
    for library in ("sqlalchemy", "psycopg"):  # what they log of a connection that breaks off is said by us
        logging.getLogger(library).addHandler(logging.NullHandler())
    try:
        result = group.main(standalone_mode=False)
        if sys.stdout is not None:  # it is None where the caller closed it
            sys.stdout.flush()
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _show_usage(error)
        sys.exit(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        _end_interrupted()
    except BrokenPipeError:
        _stop_writing()
        sys.exit(ExitCode.OK)
    except Exception as error:  # noqa: BLE001 (the last resort: no traceback unless it is asked for)
        if _INTERRUPTS:
            _end_interrupted()
        told = _told(error)
        _show(told)
        sys.exit(told.exit_code)
    sys.exit(result if isinstance(result, int) else ExitCode.OK)


def _told(error: Exception) -> LedgerError:
    """Return an error as one of ours."""
    if isinstance(error, LedgerError):
        return error
    if isinstance(error, OSError):
        where = f" {error.filename}" if error.filename else ""
        return EnvironmentFaultError(
            f"the system refused to read or write{where}: {error.strerror or error}",
            next_step="check the free space and the permissions of what is read and written",
        )
    return EnvironmentFaultError(
        f"unexpected {type(error).__name__}: {error}",
        next_step="run it again with --debug and report what it shows",
    )


def _remember_interrupts() -> None:
    """Keep in mind from now on that Ctrl-C was pressed.

    A library that is interrupted while it tidies up may raise an error of its own in the place of
    KeyboardInterrupt, or swallow it; what the person meant is an interruption all the same.
    """

    def interrupt(number: int, _frame: object) -> NoReturn:
        _INTERRUPTS.append(number)
        raise KeyboardInterrupt

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where it is ignored
        signal.signal(signal.SIGINT, interrupt)


def end_if_interrupted() -> None:
    """Stop where Ctrl-C was pressed and a library has swallowed it; for loops without an end of their own.

    Raises:
        KeyboardInterrupt: it was pressed.
    """
    if _INTERRUPTS:
        raise KeyboardInterrupt


def _end_interrupted() -> NoReturn:
    click.echo("interrupted", err=True)
    sys.exit(ExitCode.INTERRUPTED)


def _show_usage(error: click.ClickException) -> None:
    context = error.ctx if isinstance(error, click.UsageError) else None
    next_step = f"{context.command_path} --help" if context is not None else None
    _print_document(type(error).__name__, error.format_message(), next_step, ExitCode.USAGE)
    error.show()


def _print_document(name: str, message: str, next_step: str | None, exit_code: ExitCode) -> None:
    if "--json" not in sys.argv:
        return
    document = {
        "schema": ERROR_SCHEMA,
        "error": name,
        "message": message,
        "next_step": next_step,
        "exit_code": int(exit_code),
    }
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def _show(error: LedgerError) -> None:
    if "--debug" in sys.argv:
        traceback.print_exc()
    _print_document(type(error).__name__, error.message, error.next_step, error.exit_code)
    click.echo(f"error: {error.message}", err=True)
    if error.next_step:
        click.echo(f"next:  {error.next_step}", err=True)
