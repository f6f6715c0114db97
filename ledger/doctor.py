"""What state the surroundings are in: database, tables, guards, clocks, ledger."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from ledger.clock import Clock, SystemClock, format_time
from ledger.errors import LedgerError
from ledger.store.database import displayed_url, make_engine, translated_errors
from ledger.store.migrate import current_revision, newest_revision

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from ledger.settings import Settings

GUARDED_TABLES = ("events", "event_subjects", "ledger_head")
LARGEST_SKEW_SECONDS = 1
_DURABLE_SETTINGS = ("fsync", "full_page_writes", "synchronous_commit")
_GUARDS = {
    ("events", "guard_append"),
    ("events", "refuse_change"),
    ("event_subjects", "refuse_change"),
    ("event_subjects", "refuse_direct_change"),
    ("ledger_head", "refuse_change"),
    ("ledger_head", "refuse_direct_change"),
}


@dataclass(slots=True)
class Examination:
    """What was found; ``problems`` is empty where all is well.

    Attributes:
        chosen_by: what decided the database: an option, a variable, a file, or the embedded server.
        database_url: without its password.
        clock_skew_seconds: database clock minus this machine's, as decimal text.
        data_directory: of the embedded server.
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
                _ledger(found, url)
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
    rows = connection.exec_driver_sql(
        "SELECT tgrelid::regclass::text, tgname::text, tgenabled::text FROM pg_trigger "
        "WHERE NOT tgisinternal AND tgrelid::regclass::text = ANY(%s)",
        (list(GUARDED_TABLES),),
    ).all()
    state = {(table, name): enabled for table, name, enabled in rows}
    for table, name in sorted(_GUARDS):
        enabled = state.get((table, name), "missing")
        found.guards[f"{table}.{name}"] = {"A": "always"}.get(enabled, enabled)
        if enabled != "A":
            found.problems.append(
                f"the guard {name} of {table} is not in force (next: ledger verify, then ALTER TABLE {table} "
                f"ENABLE ALWAYS TRIGGER {name})"
            )


def _ledger(found: Examination, url: str) -> None:
    from ledger.store.ledger import Ledger

    with Ledger.open(url) as ledger:
        head = ledger.head()
    found.origin, found.valuation_currency = ledger.origin, ledger.valuation_currency
    found.events = head.sequence + 1
    found.head_appended_at = format_time(head.appended_at)
