"""What state the surroundings are in: database, tables, guards, clocks, ledger."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ledger.clock import Clock, SystemClock, format_time
from ledger.doctor.guards import (
    FUNCTIONS,
    FoundGuards,
    event_triggers_exist,
    examine_additions,
    examine_event_triggers,
    examine_functions,
    examine_triggers,
)
from ledger.doctor.mending import Mending
from ledger.doctor.outside import examine_outside
from ledger.doctor.roles import LEDGER_TABLES, examine_roles
from ledger.errors import LedgerError
from ledger.store.database import displayed_url, make_engine, translated_errors
from ledger.store.migrate import current_revision, newest_revision
from ledger.store.roles import RoleKind, role_names

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger.settings import Settings

LARGEST_SKEW_SECONDS = 1
_DURABLE_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit")


@dataclass(slots=True)
class Examination:
    """What was found; ``problems`` is empty where all is well.

    Attributes:
        chosen_by: what decided the database: an option, a variable, a file, or the embedded server.
        database_url: without its password.
        clock_skew_seconds: database clock minus this machine's, as decimal text.
        data_directory: of the embedded server.
        guards: name → state, ``always`` where it is in force.
        roles: kind → name of the role, what it is for, and the members that can log in.
        superusers: those that can log in.
        attackers: kind of role → what somebody with it could do, and what finds it.
        keys: those below the home folder, and whether the ledger has recorded them.
        checkpoint: the newest one below the home folder.
        problems: each with what to do about it.
    """

    chosen_by: str
    home: str
    database_url: str | None = None
    server_version: str | None = None
    role: str | None = None
    superuser: bool | None = None
    schema_revision: str | None = None
    schema_revision_wanted: str | None = None
    origin: str | None = None
    valuation_currency: str | None = None
    events: int | None = None
    head_appended_at: str | None = None
    clock_skew_seconds: str | None = None
    data_directory: str | None = None
    data_bytes: int | None = None
    settings: dict[str, str] = field(default_factory=dict)
    guards: dict[str, str] = field(default_factory=dict)
    roles: dict[str, dict[str, Any]] = field(default_factory=dict)
    superusers: list[str] = field(default_factory=list)
    attackers: dict[str, str] = field(default_factory=dict)
    keys: list[dict[str, Any]] = field(default_factory=list)
    checkpoint: dict[str, Any] | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is amiss."""
        return not self.problems

    def document(self) -> dict[str, Any]:
        """Return the JSON document ``ledger.doctor/1``."""
        return {"schema": "ledger.doctor/1", "ok": self.ok, **asdict(self)}


def examine(settings: Settings, clock: Clock | None = None) -> Examination:
    """Look at the database of the settings and at what is in it; problems are told, not raised."""
    found = Examination(
        settings.chosen_by, str(settings.home.resolve()), schema_revision_wanted=newest_revision()
    )
    try:
        with settings.existing_database() as url:
            found.database_url = displayed_url(url)
            engine = make_engine(url)
            with translated_errors(engine.url), engine.connect() as connection:
                _server(found, connection, clock or SystemClock())
                _tables(found, connection)
            if found.schema_revision == found.schema_revision_wanted:
                _ledger(found, url, settings)
            if settings.database_url is None:
                _embedded(found, settings)
    except LedgerError as error:
        found.problems.append(
            f"{error.message} (next: {error.next_step})" if error.next_step else error.message
        )
    return found


def _embedded(found: Examination, settings: Settings) -> None:
    from ledger.store.embedded import EmbeddedServer

    status = EmbeddedServer.status(settings.home)
    found.data_directory = str(status.data_directory)
    found.data_bytes = status.size_bytes


def _server(found: Examination, connection: Connection, clock: Clock) -> None:
    row = connection.exec_driver_sql(
        "SELECT current_setting('server_version'), session_user::text, rolsuper, clock_timestamp() "
        "FROM pg_roles WHERE rolname = session_user"
    ).one()
    found.server_version, found.role, found.superuser = row[0], row[1], row[2]
    skew = row[3] - clock.now()
    found.clock_skew_seconds = f"{skew.total_seconds():z.3f}"
    if abs(skew.total_seconds()) > LARGEST_SKEW_SECONDS:
        found.problems.append(
            f"the database clock is {found.clock_skew_seconds} s from this machine's (next: synchronise both)"
        )
    for name in _DURABLE_SETTINGS:
        value = connection.exec_driver_sql(f"SHOW {name}").scalar_one()
        found.settings[name] = value
        if value == "off":
            found.problems.append(f"{name} is off: a crash can lose events (next: set it on)")


def _tables(found: Examination, connection: Connection) -> None:
    found.schema_revision = current_revision(connection)
    if found.schema_revision is None:
        found.problems.append("there is no ledger in this database (next: ledger init --origin NAME)")
        return
    if found.schema_revision != found.schema_revision_wanted:
        found.problems.append(
            f"the tables are of revision {found.schema_revision}, this program needs "
            f"{found.schema_revision_wanted} (next: ledger init --upgrade)"
        )
    owner = role_names(connection).get(RoleKind.OWNER) if _has_roles(connection) else None
    mending = None if owner is None else Mending(owner, event_triggers_exist(connection))
    _take(found, examine_triggers(connection, mending))
    if mending is None:
        if found.schema_revision == found.schema_revision_wanted:
            found.problems.append(
                "the table ledger_roles is missing or names no owner, so who may do what is not known "
                "(next: restore a backup, then ledger verify)"
            )
        return
    _take(found, examine_event_triggers(connection))
    found.problems += examine_functions(connection, mending)
    found.problems += examine_additions(connection, mending, LEDGER_TABLES)
    who = examine_roles(connection, mending, tuple(FUNCTIONS))
    found.roles, found.superusers, found.attackers = who.roles, who.superusers, who.attackers
    found.problems += who.problems


def _has_roles(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql("SELECT to_regclass('public.ledger_roles') IS NOT NULL").scalar())


def _take(found: Examination, guards: FoundGuards) -> None:
    found.guards |= guards.states
    found.problems += guards.problems


def _ledger(found: Examination, url: str, settings: Settings) -> None:
    from ledger.store.ledger import Ledger

    with Ledger.open(url) as ledger:
        head = ledger.head()
        outside = examine_outside(settings, ledger)
    found.keys, found.checkpoint = outside.keys, outside.checkpoint
    found.problems += outside.problems
    found.origin, found.valuation_currency = ledger.origin, ledger.valuation_currency
    found.events = head.sequence + 1
    found.head_appended_at = format_time(head.appended_at)
