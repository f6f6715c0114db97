"""Exporting with a signature from a real Postgres: it stands beside its bundle, and never beside another."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from ledger.errors import BundleWriteError, EnvironmentFaultError, InvalidInputError
from ledger.export.bundle import export_bundle
from ledger.export.check import check_bundle
from ledger.export.signature import GivenSignature
from ledger.outside.checkpoints import CheckpointFolder
from ledger.outside.keyring import Keyring, Purpose
from ledger.signing.keys import generate_keys, key_name, rotate_keys
from ledger.store.ledger import Ledger
from tests.support.bundles import ORIGIN, DepositCounts, edit_manifest, venue_events
from tests.support.keys import log_key
from tests.support.postgres import fresh_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ledger.checkpoint import SigningKey
    from ledger.report import BundleReport

PASSPHRASE = b"a passphrase of the test"
EVENTS = 21
NAME = key_name(ORIGIN, Purpose.BUNDLE)
KEY = log_key(NAME)


@pytest.fixture(scope="module")
def venue_url(database_server_url: str) -> Iterator[str]:
    """A database whose ledger no test of this file changes."""
    with fresh_database(database_server_url) as url:
        with Ledger.initialise(url, origin=ORIGIN) as ledger:
            ledger.append(venue_events(EVENTS - 1))
        yield url


@pytest.fixture
def venue(venue_url: str) -> Iterator[Ledger]:
    with Ledger.open(venue_url) as ledger:
        yield ledger


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def verdict(bundle: Path, key: SigningKey = KEY, *, signature: Path | None = None) -> BundleReport:
    """Check a bundle with the signature that stands beside it, or with another."""
    file = signature or bundle.with_name(f"{bundle.name}.signature")
    origin = key.verifier.name.removesuffix("/bundles")
    return check_bundle(bundle, signature=GivenSignature(file.read_bytes(), origin, (key.verifier,)))


def test_the_signature_stands_beside_the_folder_and_nothing_of_it_inside(
    venue: Ledger, tmp_path: Path
) -> None:
    signed = export_bundle(venue, tmp_path / "signed", keys=(KEY,), tables=[DepositCounts()])
    plain = export_bundle(venue, tmp_path / "plain", tables=[DepositCounts()])
    assert names_in(tmp_path) == ["plain", "signed", "signed.signature"]
    assert names_in(tmp_path / "signed") == names_in(tmp_path / "plain")
    assert signed.signature == tmp_path / "signed.signature"
    assert signed.document()["signature"] == str(tmp_path / "signed.signature")
    assert (plain.signature, plain.document()["signature"]) == (None, None)
    text = (tmp_path / "signed.signature").read_text(encoding="utf-8")
    assert text.startswith(f"margin-ledger bundle\n{ORIGIN}\n{signed.manifest_sha256}\n\n— {NAME} ")
    assert verdict(tmp_path / "signed").ok


def test_a_tampered_manifest_is_found_by_the_signature_alone(venue: Ledger, tmp_path: Path) -> None:
    export_bundle(venue, tmp_path / "bundle", to_sequence=9, keys=(KEY,))
    edit_manifest(tmp_path / "bundle", not_included=[])  # hides that the ledger held more
    assert check_bundle(tmp_path / "bundle").ok
    assert [failure.check for failure in verdict(tmp_path / "bundle").failures] == ["bundle_signature"]


def test_another_ledgers_signature_and_another_bundles_are_refused(
    venue: Ledger, database_url: str, tmp_path: Path
) -> None:
    theirs = log_key("other.example/log/bundles")
    with Ledger.initialise(database_url, origin="other.example/log") as other:
        export_bundle(other, tmp_path / "theirs", keys=(theirs,))
    export_bundle(venue, tmp_path / "ours", keys=(KEY,))
    export_bundle(venue, tmp_path / "earlier", to_sequence=9, keys=(KEY,))
    assert verdict(tmp_path / "theirs", theirs).ok
    for bundle, key, signature, check in (
        ("ours", KEY, "theirs", "origin"),
        ("ours", theirs, "theirs", "manifest"),
        ("theirs", KEY, "theirs", "origin"),
        ("theirs", KEY, "ours", "manifest"),
        ("earlier", KEY, "ours", "manifest"),
    ):
        report = verdict(tmp_path / bundle, key, signature=tmp_path / f"{signature}.signature")
        assert [failure.check for failure in report.failures] == ["bundle_signature"]
        assert report.failures[0].expected.startswith(f"{check}: "), (bundle, signature)


def test_after_a_rotation_the_new_key_signs_and_old_signatures_go_on_to_hold(
    database_url: str, tmp_path: Path
) -> None:
    keyring = Keyring(tmp_path / "keys")
    with Ledger.initialise(database_url, origin=ORIGIN) as ledger:
        generate_keys(ledger, keyring, Purpose.BUNDLE, PASSPHRASE)
        (old,) = keyring.load(Purpose.BUNDLE, NAME, lambda: PASSPHRASE)
        export_bundle(ledger, tmp_path / "before", keys=(old,))
        rotate_keys(
            ledger,
            keyring,
            CheckpointFolder(tmp_path / "checkpoints"),
            Purpose.BUNDLE,
            passphrase=lambda: PASSPHRASE,
            new_passphrase=lambda: PASSPHRASE,
            reason="every year",
        )
        (new,) = keyring.load(Purpose.BUNDLE, NAME, lambda: PASSPHRASE)
        export_bundle(ledger, tmp_path / "after", keys=(new,))
    assert [verdict(tmp_path / "before", key).ok for key in (old, new)] == [True, False]
    assert [verdict(tmp_path / "after", key).ok for key in (old, new)] == [False, True]


@pytest.mark.parametrize("key", [log_key(ORIGIN), log_key("other.example/log/bundles")], ids=repr)
def test_no_other_key_signs_a_bundle_and_nothing_is_written(
    venue: Ledger, tmp_path: Path, key: SigningKey
) -> None:
    with pytest.raises(InvalidInputError, match="is not one that bundles of"):
        export_bundle(venue, tmp_path / "bundle", keys=(key,))
    assert names_in(tmp_path) == []


# What is there already.


def test_force_replaces_the_signature_together_with_the_bundle(venue: Ledger, tmp_path: Path) -> None:
    first = export_bundle(venue, tmp_path / "bundle", to_sequence=9, keys=(KEY,))
    with pytest.raises(InvalidInputError, match="exists already"):
        export_bundle(venue, tmp_path / "bundle", keys=(KEY,))
    assert verdict(tmp_path / "bundle").events == 10
    second = export_bundle(venue, tmp_path / "bundle", keys=(KEY,), force=True)
    assert first.manifest_sha256 != second.manifest_sha256
    assert (verdict(tmp_path / "bundle").ok, verdict(tmp_path / "bundle").events) == (True, EVENTS)
    assert names_in(tmp_path) == ["bundle", "bundle.signature"]


def test_an_unsigned_bundle_that_replaces_a_signed_one_has_no_signature(
    venue: Ledger, tmp_path: Path
) -> None:
    export_bundle(venue, tmp_path / "bundle", to_sequence=9, keys=(KEY,))
    export_bundle(venue, tmp_path / "bundle", force=True)
    assert names_in(tmp_path) == ["bundle"]


@pytest.mark.parametrize("keys", [(), (KEY,)])
def test_a_signature_without_its_bundle_is_replaced_only_with_force(
    venue: Ledger, tmp_path: Path, keys: tuple[SigningKey, ...]
) -> None:
    export_bundle(venue, tmp_path / "other", to_sequence=9, keys=(KEY,))
    (tmp_path / "other.signature").rename(tmp_path / "bundle.signature")
    with pytest.raises(InvalidInputError, match=r"bundle\.signature exists already; nothing was written"):
        export_bundle(venue, tmp_path / "bundle", keys=keys)
    assert names_in(tmp_path) == ["bundle.signature", "other"]
    export_bundle(venue, tmp_path / "bundle", keys=keys, force=True)
    assert (tmp_path / "bundle.signature").exists() == bool(keys)
    assert not keys or verdict(tmp_path / "bundle").ok


def make_file(path: Path) -> None:
    path.write_text("mine", encoding="utf-8")


def make_link(path: Path) -> None:
    (path.parent / "elsewhere").write_text("mine", encoding="utf-8")
    path.symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("occupy", [make_file, make_link, os.mkdir, os.mkfifo])
def test_what_is_there_and_no_signature_is_never_replaced(
    venue: Ledger, tmp_path: Path, occupy: Callable[[Path], None]
) -> None:
    export_bundle(venue, tmp_path / "bundle", to_sequence=9)
    occupy(tmp_path / "bundle.signature")
    before = names_in(tmp_path)
    for keys in ((), (KEY,)):
        with pytest.raises(InvalidInputError, match="is not replaced"):
            export_bundle(venue, tmp_path / "bundle", keys=keys, force=True)
    assert names_in(tmp_path) == before
    assert check_bundle(tmp_path / "bundle").events == 10


def test_a_rename_that_fails_leaves_the_older_bundle_with_its_signature(
    venue: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    export_bundle(venue, tmp_path / "bundle", to_sequence=9, keys=(KEY,))
    really_rename = Path.rename

    def refusing(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError(28, "No space left on device")
        return really_rename(self, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(BundleWriteError, match="No space left on device"):
        export_bundle(venue, tmp_path / "bundle", keys=(KEY,), force=True)
    assert names_in(tmp_path) == ["bundle", "bundle.signature"]
    assert (verdict(tmp_path / "bundle").ok, verdict(tmp_path / "bundle").events) == (True, 10)


def test_a_signature_that_cannot_be_written_leaves_a_bundle_without_one_and_says_so(
    venue: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*_: object, **__: object) -> None:
        raise EnvironmentFaultError("no space")

    export_bundle(venue, tmp_path / "bundle", to_sequence=9, keys=(KEY,))
    monkeypatch.setattr("ledger.export.writing.write_file", refusing)
    with pytest.raises(BundleWriteError, match="is complete, but has no signature: no space"):
        export_bundle(venue, tmp_path / "bundle", keys=(KEY,), force=True)
    assert names_in(tmp_path) == ["bundle"]
    assert check_bundle(tmp_path / "bundle").events == EVENTS


@pytest.mark.parametrize("killed_at", ["bundle", ".partial", "write"])
def test_a_signature_is_never_beside_a_bundle_that_it_is_not_of_wherever_it_is_killed(
    venue: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: str
) -> None:
    """A killed process puts nothing back, so nothing may depend on that."""
    from pathlib import Path

    class Killed(BaseException):
        pass

    export_bundle(venue, tmp_path / "bundle", to_sequence=9, keys=(KEY,))
    really_rename, killed = Path.rename, False

    def rename(self: Path, target: Path) -> Path:
        nonlocal killed
        killed = killed or self.name.endswith(killed_at)
        if killed:
            raise Killed
        return really_rename(self, target)

    def write(*_: object, **__: object) -> None:
        raise Killed

    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr("ledger.export.writing.write_file", write)
    with pytest.raises(Killed):
        export_bundle(venue, tmp_path / "bundle", keys=(KEY,), force=True)
    assert not (tmp_path / "bundle.signature").exists()
