"""``ledger import``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger.cli.common import Session, accept_restore_option, ledger_command
from ledger.errors import InvalidInputError
from ledger.importers.kinds import IMPORT_KINDS, ImportKind, open_source

if TYPE_CHECKING:
    from ledger.importers.pipeline import ImportResult
    from ledger.importers.reading import ImportSource

BETWEEN_SOURCES = "--and"


class ImportCommand(click.Command):
    """A command whose help lists the kinds of sources with their options."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the kinds and their options."""
        del ctx
        for kind in IMPORT_KINDS.values():
            paths = kind.paths + ("…" if kind.several else "")
            with formatter.section(f"{kind.name} {paths}"):
                formatter.write_text(kind.summary)
                rows = [
                    (option.flag + ("" if option.is_flag else " VALUE"), option.help)
                    for option in kind.options
                ]
                if rows:
                    formatter.write_dl(rows)


@ledger_command(
    "import",
    cls=ImportCommand,
    context_settings={"ignore_unknown_options": True},
    options_metavar="[OPTIONS]",
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="SOURCE PATH… [--and SOURCE PATH…]…")
@click.option("--dry-run", is_flag=True, help="Check every row, record nothing.")
@accept_restore_option
def import_(session: Session, *, words: tuple[str, ...], dry_run: bool, accept_restore: str | None) -> None:
    """Record what files of other systems say; several sources are merged in the order of time.

    Everything is checked first, then recorded in batches. What is recorded already is recognised,
    so an import that was interrupted goes on when it is run again.
    """
    from ledger.importers.pipeline import import_sources

    sources = [_source(segment) for segment in _segments(words)]
    with session.ledger(writing=not dry_run, accept_restore=accept_restore) as ledger:
        result = import_sources(
            sources, ledger.append_prepared, session.progress(), check=ledger.check_unchanged, dry_run=dry_run
        )
    for warning in result.warnings:
        session.tell(f"warning: {warning}")
    session.emit(_document(result), _words(result))


def _segments(words: tuple[str, ...]) -> list[list[str]]:
    segments: list[list[str]] = [[]]
    for word in words:
        if word == BETWEEN_SOURCES:
            segments.append([])
        else:
            segments[-1].append(word)
    if not all(segments):
        raise InvalidInputError(
            f"name a source: one of {', '.join(IMPORT_KINDS)}",
            next_step="ledger import --help lists their options",
        )
    return segments


def _source(segment: list[str]) -> ImportSource:
    name, *rest = segment
    kind = IMPORT_KINDS.get(name)
    if kind is None:
        raise InvalidInputError(
            f"there is no source {name!r}; known are {', '.join(IMPORT_KINDS)}",
            next_step="ledger import --help",
        )
    with _parser(kind).make_context(f"ledger import {name}", list(rest)) as context:
        given: dict[str, Any] = dict(context.params)
    return open_source(name, given.pop("paths"), given)


def _parser(kind: ImportKind) -> click.Command:
    paths = click.Argument(["paths"], nargs=-1, required=True, metavar=kind.paths)
    options = [
        click.Option(
            [option.flag, option.name],
            help=option.help,
            required=option.required,
            multiple=option.multiple,
            is_flag=option.is_flag,
            type=click.Choice(option.choices) if option.choices else None,
        )
        for option in kind.options
    ]
    return click.Command(kind.name, params=[paths, *options])


def _document(result: ImportResult) -> dict[str, Any]:
    return {
        "schema": "ledger.import/1",
        "dry_run": result.dry_run,
        "events": result.events,
        "counts": dict(result.counts),
        "appended": result.appended,
        "already_recorded": result.already_recorded,
        "first_sequence": result.first_sequence,
        "last_sequence": result.last_sequence,
        "warnings": list(result.warnings),
    }


def _words(result: ImportResult) -> str:
    lines = [f"{count:>10}  {name}" for name, count in result.counts.items()]
    if result.dry_run:
        lines.append(f"{result.events} events are in order; nothing was recorded (--dry-run).")
    else:
        where = (
            ""
            if result.first_sequence is None
            else f", sequences {result.first_sequence} to {result.last_sequence}"
        )
        lines.append(
            f"{result.appended} events recorded{where}; {result.already_recorded} were recorded already."
        )
    return "\n".join(lines)
