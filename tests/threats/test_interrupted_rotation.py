"""Keys are made and rotated although the program dies at any step in between: nothing is lost or doubled."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.errors import InvalidInputError
from ledger.outside.checkpoints import CheckpointFolder
from ledger.outside.keyring import Keyring, Purpose
from ledger.signing.head import sign_head
from ledger.signing.keys import generate_keys, rotate_keys
from ledger.store.ledger import Ledger
from ledger.trust import TrustPolicy, trust_checkpoint
from ledger.verify import verify_ledger
from tests.support.keys import ORIGIN
from tests.support.postgres import fresh_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORDS = b"a passphrase of the test"
CHECKPOINT = Purpose.CHECKPOINT


class Died(BaseException):
    """The process is gone: nothing handles this."""


class Steps:
    """Counts what changes the disk or the database, and dies before the step of a number."""

    def __init__(self, patched: pytest.MonkeyPatch, fatal: int) -> None:
        self.done, self.fatal = 0, fatal
        for owner, name in ((Path, "replace"), (os, "link"), (Path, "unlink"), (Ledger, "append")):
            patched.setattr(owner, name, self._counted(name, getattr(owner, name)))

    def _counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*given: Any, **named: Any) -> Any:
            # A file that is written beside its place is there only once it is put in place.
            if name != "unlink" or not str(given[0]).endswith(".partial"):
                self.done += 1
                if self.done >= self.fatal:
                    raise Died
            return function(*given, **named)

        return counted


@pytest.fixture(scope="module")
def opened(database_server_url: str) -> Iterator[str]:
    with fresh_database(database_server_url) as url:
        Ledger.initialise(url, origin=ORIGIN).close()
        yield url


def recorded(ledger: Ledger, event_type: str) -> list[str]:
    return sorted(
        str(event.data.json_value()["public_key"]) for event in ledger.events() if event.type == event_type
    )


def texts(keyring: Keyring, state: str) -> list[str]:
    return sorted(key.verifier.encode() for key in keyring.find(CHECKPOINT, ORIGIN, state))


def dies(monkeypatch: pytest.MonkeyPatch, fatal: int, work: Callable[[], object]) -> bool:
    """Do some work and die at a step; tell whether it came to that."""
    with monkeypatch.context() as patched:
        Steps(patched, fatal)
        try:
            work()
        except Died:
            return True
    return False


def test_an_interrupted_generation_ends_with_one_recorded_pair(
    database_server_url: str, opened: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fatal = 0
    died = True
    while died:
        fatal += 1
        keyring = Keyring(tmp_path / f"keys-{fatal}")
        with fresh_database(database_server_url, like=opened) as url, Ledger.open(url) as ledger:

            def generate(ledger: Ledger = ledger, keyring: Keyring = keyring) -> object:
                return generate_keys(ledger, keyring, CHECKPOINT, WORDS)

            died = dies(monkeypatch, fatal, generate)
            if len(recorded(ledger, "SigningKeyRegistered")) < 2:
                generate()
            assert len(keyring.load(CHECKPOINT, ORIGIN, lambda: WORDS)) == 2, fatal
            assert texts(keyring, "current") == recorded(ledger, "SigningKeyRegistered"), fatal
            with pytest.raises(InvalidInputError, match="already"):
                generate()
    assert fatal > 5  # two files for each key, and what is recorded


def test_an_interrupted_rotation_goes_on_where_it_stopped(
    database_server_url: str, opened: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fatal = 0
    died = True
    while died:
        fatal += 1
        home = tmp_path / str(fatal)
        keyring, checkpoints = Keyring(home / "keys"), CheckpointFolder(home / "checkpoints")
        with fresh_database(database_server_url, like=opened) as url, Ledger.open(url) as ledger:
            old = sorted(key.verifier.encode() for key in generate_keys(ledger, keyring, CHECKPOINT, WORDS))
            before = sign_head(ledger, keyring.load(CHECKPOINT, ORIGIN, lambda: WORDS), checkpoints)

            def rotate(
                ledger: Ledger = ledger, keyring: Keyring = keyring, folder: CheckpointFolder = checkpoints
            ) -> object:
                return rotate_keys(
                    ledger,
                    keyring,
                    folder,
                    CHECKPOINT,
                    passphrase=lambda: WORDS,
                    new_passphrase=lambda: WORDS,
                    reason="every year",
                )

            died = dies(monkeypatch, fatal, rotate)
            if died:
                rotate()
            new = texts(keyring, "current")
            assert (texts(keyring, "retired"), texts(keyring, "next")) == (old, []), fatal
            assert len(new) == 2, fatal
            assert not set(old) & set(new), fatal
            assert recorded(ledger, "SigningKeyRegistered") == sorted([*old, *new]), fatal
            assert recorded(ledger, "SigningKeyRetired") == old, fatal
            files = [key.file for key in keyring.find(CHECKPOINT, ORIGIN)]
            assert [file.stat().st_mode & 0o777 for file in files] == [0o600] * 4, fatal
            assert {file.parent.stat().st_mode & 0o777 for file in files} == {0o700}, fatal
            head = sign_head(ledger, keyring.load(CHECKPOINT, ORIGIN, lambda: WORDS), checkpoints)
            # Who trusts either pair believes the handover, which grew from what the old pair signed.
            for state in ("current", "retired"):
                trusted = tuple(key.verifier for key in keyring.find(CHECKPOINT, ORIGIN, state))
                found = trust_checkpoint(head.note.encode(), TrustPolicy.of(trusted))
                assert found.checkpoint.size > before.checkpoint.size, fatal
            assert verify_ledger(ledger).ok
    assert fatal > 15  # four files made, two recordings, the checkpoint, the journal, eight moves


@pytest.mark.parametrize("interrupted", ["after the retirement was recorded", "while files were moved"])
def test_a_theft_does_not_vanish_in_a_rotation_that_was_begun_for_another_reason(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: str
) -> None:
    keyring, checkpoints = Keyring(tmp_path / "keys"), CheckpointFolder(tmp_path / "checkpoints")
    with Ledger.initialise(database_url, origin=ORIGIN) as ledger:
        generate_keys(ledger, keyring, CHECKPOINT, WORDS)

        def rotate(**more: Any) -> None:
            rotate_keys(
                ledger,
                keyring,
                checkpoints,
                CHECKPOINT,
                passphrase=lambda: WORDS,
                new_passphrase=lambda: WORDS,
                **more,
            )

        def die(*_: object) -> None:
            raise Died

        place = "promote" if interrupted.startswith("after") else "finish_promotion"
        with monkeypatch.context() as patched:
            if place == "promote":
                patched.setattr(Keyring, "promote", die)
            else:  # dies in the middle of it: what is to be moved is written down
                patched.setattr(Path, "replace", _dying_on_the_second_key(Path.replace))
            with pytest.raises(Died):
                rotate(reason="every year")
        with pytest.raises(InvalidInputError, match="the time of the compromise was not recorded"):
            rotate(reason="stolen", compromised_at=datetime(2026, 3, 1, tzinfo=UTC))
        retired = [event for event in ledger.events() if event.type == "SigningKeyRetired"]
        assert all("compromised_at" not in event.data.json_value() for event in retired)
        if place == "promote":
            rotate(reason="every year")  # done now
        rotate(reason="stolen", compromised_at=datetime(2026, 3, 1, tzinfo=UTC))
        retired = [event for event in ledger.events() if event.type == "SigningKeyRetired"]
        assert [("compromised_at" in event.data.json_value()) for event in retired] == [False] * 2 + [
            True
        ] * 2


def _dying_on_the_second_key(replace: Callable[..., Any]) -> Callable[..., Any]:
    moved = 0

    def counted(self: Path, target: Path) -> Any:
        nonlocal moved
        moved += self.suffix in {".pem", ".vkey"}
        if moved > 2:
            raise Died
        return replace(self, target)

    return counted


def test_a_theft_in_the_future_is_refused(database_url: str, tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "keys")
    with Ledger.initialise(database_url, origin=ORIGIN) as ledger:
        generate_keys(ledger, keyring, CHECKPOINT, WORDS)
        with pytest.raises(InvalidInputError, match="has not come yet"):
            rotate_keys(
                ledger,
                keyring,
                CheckpointFolder(tmp_path / "checkpoints"),
                CHECKPOINT,
                passphrase=lambda: WORDS,
                new_passphrase=lambda: WORDS,
                reason="stolen",
                compromised_at=datetime(2999, 1, 1, tzinfo=UTC),
            )
        assert texts(keyring, "next") == []
