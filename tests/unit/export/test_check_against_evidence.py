"""A bundle against what its reader got elsewhere: its signature, and checkpoints of the log."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from ledger.canonical import leaf_hash
from ledger.checkpoint import Checkpoint
from ledger.errors import InvalidInputError
from ledger.export.check import check_bundle
from ledger.export.signature import GivenSignature, sign_bundle
from ledger.growth import GivenCheckpoint
from ledger.merkle import root_hash
from tests.support.bundles import (
    ORIGIN,
    copy_bundle,
    edit_manifest,
    flip_byte,
    reseal,
    sealed_lines,
    sealed_venue,
    write_bundle,
)
from tests.support.keys import log_key

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.canonical import JsonValue
    from ledger.checkpoint import SigningKey
    from ledger.report import BundleReport

EVENTS = 23
LINES = sealed_venue(EVENTS)
KEY, ROTATED = log_key(f"{ORIGIN}/bundles"), log_key(f"{ORIGIN}/bundles", seed="new")
OTHER = "other.example/log"
FOREIGN = log_key(f"{OTHER}/bundles")


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("intact") / "bundle", LINES)


@pytest.fixture
def bundle(intact: Path, tmp_path: Path) -> Path:
    return copy_bundle(intact, tmp_path / "bundle")


def signature_of(
    bundle: Path, key: SigningKey = KEY, *, origin: str = ORIGIN, trusted: SigningKey | None = None
) -> GivenSignature:
    """A signature of the bundle as it is now, and trust in the key that made it or in another."""
    manifest_sha256 = hashlib.sha256((bundle / "manifest.json").read_bytes()).hexdigest()
    note = sign_bundle(manifest_sha256, origin, (key,)).encode()
    trust = (trusted or key).verifier
    return GivenSignature(note, trust.name.removesuffix("/bundles"), (trust,))


def given(
    size: int, *, checked: bool = True, origin: str = ORIGIN, lines: list[bytes] = LINES
) -> GivenCheckpoint:
    root = root_hash(leaf_hash(line) for line in lines[:size])
    return GivenCheckpoint("kept", Checkpoint(origin, size, root), signature_checked=checked)


def failed(report: BundleReport) -> set[str]:
    return {name for name, held in report.checks.items() if not held}


def says(report: BundleReport, text: str) -> bool:
    return any(text in each for each in report.not_checked)


# The signature


def test_a_signed_bundle_holds_and_its_signature_is_no_longer_unchecked(bundle: Path) -> None:
    assert says(check_bundle(bundle), "signatures: the bundle carries none")
    report = check_bundle(bundle, signature=signature_of(bundle))
    assert (report.ok, report.checks["bundle_signature"]) == (True, True)
    assert not says(report, "signatures")
    assert says(report, "whether this is the log, and all of it")


def test_without_a_signature_nothing_is_said_to_have_been_checked(bundle: Path) -> None:
    assert {"bundle_signature", "trusted_checkpoint"}.isdisjoint(check_bundle(bundle).checks)


def test_a_forger_who_fixes_every_hash_does_not_fix_the_signature(bundle: Path) -> None:
    signature = signature_of(bundle)
    (bundle / "tables" / "deposits.csv").write_text("account,deposits\nA1,4\n", encoding="utf-8")
    reseal(bundle)
    assert check_bundle(bundle).ok
    report = check_bundle(bundle, signature=signature)
    assert failed(report) == {"bundle_signature"}
    assert report.failures[0].expected.startswith("manifest: ")


def test_a_manifest_that_claims_something_else_is_not_the_signed_one(bundle: Path) -> None:
    signature = signature_of(bundle)
    edit_manifest(bundle, not_included=["nothing"])
    assert failed(check_bundle(bundle, signature=signature)) == {"bundle_signature"}


def test_a_changed_file_is_found_by_its_hash_under_a_signature_that_holds(bundle: Path) -> None:
    signature = signature_of(bundle)
    flip_byte(bundle / "README.txt", 3)
    assert failed(check_bundle(bundle, signature=signature)) == {"files"}


@pytest.mark.parametrize("key", [ROTATED, FOREIGN], ids=repr)
def test_a_key_that_did_not_sign_is_no_reason_to_believe(bundle: Path, key: SigningKey) -> None:
    report = check_bundle(bundle, signature=signature_of(bundle, trusted=key))
    assert failed(report) == {"bundle_signature"}


def test_a_bundle_of_another_ledger_is_not_ours_although_our_key_signed_its_manifest(bundle: Path) -> None:
    reseal(bundle, OTHER)
    report = check_bundle(bundle, signature=signature_of(bundle))
    assert "bundle_signature" in failed(report)
    failure = next(each for each in report.failures if each.check == "bundle_signature")
    assert (failure.expected, failure.actual) == (f"a bundle of {ORIGIN}", f"a bundle of {OTHER}")


def test_bytes_that_are_no_signature_are_a_failure_and_no_crash(bundle: Path) -> None:
    report = check_bundle(bundle, signature=GivenSignature(b"\xff\x00", ORIGIN, (KEY.verifier,)))
    assert failed(report) == {"bundle_signature"}
    assert report.failures[0].expected == "signature: the signed note of a bundle"


def test_a_signature_over_no_manifest_is_a_failure(bundle: Path) -> None:
    signature = signature_of(bundle)
    (bundle / "manifest.json").unlink()
    assert failed(check_bundle(bundle, signature=signature)) == {"manifest", "bundle_signature"}


def test_a_manifest_is_read_to_its_end(bundle: Path) -> None:
    """Up to the largest size and no further: what came after it would be under no hash."""
    edit_manifest(bundle, not_checked=["x" * 1_000] * 1_000)
    left = (1 << 20) - (bundle / "manifest.json").stat().st_size
    more: list[JsonValue] = ["x" * 1_000] * (left // 1_003 - 1)
    full: list[JsonValue] = [*["x" * 1_000] * 1_000, *more, "x" * (left % 1_003)]
    edit_manifest(bundle, not_checked=[*full, "x" * 997])
    assert (bundle / "manifest.json").stat().st_size == 1 << 20
    assert check_bundle(bundle, signature=signature_of(bundle)).ok
    with (bundle / "manifest.json").open("ab") as file:
        file.write(b" ")
    assert failed(check_bundle(bundle)) == {"manifest"}
    edit_manifest(bundle, not_checked=[*full, "x" * 998])
    assert failed(check_bundle(bundle)) == {"manifest"}


@pytest.mark.parametrize("key", [log_key(ORIGIN), FOREIGN], ids=repr)
def test_a_key_that_signs_no_bundles_of_the_ledger_is_refused(bundle: Path, key: SigningKey) -> None:
    note = signature_of(bundle).note
    with pytest.raises(InvalidInputError, match="bundles"):
        check_bundle(bundle, signature=GivenSignature(note, ORIGIN, (key.verifier,)))


# Checkpoints


def test_a_checkpoint_over_all_events_shows_that_it_is_the_log_and_all_of_it(bundle: Path) -> None:
    report = check_bundle(bundle, checkpoints=[given(EVENTS)])
    assert (report.ok, report.checks["trusted_checkpoint"]) == (True, True)
    assert not says(report, "whether this is the log")
    assert not says(report, "only consistent with themselves")


def test_events_after_the_newest_checkpoint_are_only_consistent_with_themselves(bundle: Path) -> None:
    report = check_bundle(bundle, checkpoints=[given(7), given(15), given(1)])
    assert report.ok
    assert says(report, f"the {EVENTS - 15} events after sequence 14")
    assert says(report, "only consistent with themselves")
    assert not says(report, "no root or head hash")


def test_a_root_from_elsewhere_covers_what_a_checkpoint_does_not(bundle: Path) -> None:
    root = check_bundle(bundle).document()["root_hash"]
    report = check_bundle(bundle, expected_root=root, checkpoints=[given(15)])
    assert report.ok
    assert not says(report, "only consistent with themselves")


def test_a_checkpoint_whose_signature_nobody_checked_shows_nothing(bundle: Path) -> None:
    report = check_bundle(bundle, checkpoints=[given(EVENTS, checked=False)])
    assert report.ok
    assert says(report, "signatures of kept: no trusted key was given")
    assert says(report, "whether this is the log, and all of it")


def test_a_checkpoint_of_no_events_shows_nothing_about_them(bundle: Path) -> None:
    assert says(check_bundle(bundle, checkpoints=[given(0)]), "whether this is the log, and all of it")


def test_a_checkpoint_over_more_events_than_the_bundle_holds_is_a_failure_that_says_so(
    tmp_path: Path,
) -> None:
    bundle = write_bundle(tmp_path / "bundle", LINES[:20])
    report = check_bundle(bundle, checkpoints=[given(EVENTS), given(15)])
    assert failed(report) == {"trusted_checkpoint"}
    (failure,) = report.failures
    assert failure.expected == f"{EVENTS} events (kept)"
    assert failure.actual.startswith("20: the bundle holds fewer than the checkpoint covers")


@pytest.mark.parametrize("size", [1, 6, 15, EVENTS])
def test_a_log_made_up_later_does_not_have_the_root_of_the_checkpoint(tmp_path: Path, size: int) -> None:
    events = [line[len(b'{"event":') : line.rindex(b',"link":')] for line in LINES]
    made_up = sealed_lines([events[0].replace(b"tests", b"tasks"), *events[1:]])
    bundle = write_bundle(tmp_path / "bundle", made_up)
    assert check_bundle(bundle).ok
    report = check_bundle(bundle, checkpoints=[given(size)])
    assert failed(report) == {"trusted_checkpoint"}
    assert report.failures[0].expected.startswith(f"{size} events with root ")


def test_a_checkpoint_of_another_log_is_a_failure(bundle: Path) -> None:
    report = check_bundle(bundle, checkpoints=[given(15, origin=OTHER)])
    assert failed(report) == {"trusted_checkpoint"}
    assert (report.failures[0].expected, report.failures[0].actual) == (
        f"log {OTHER} (kept)",
        f"log {ORIGIN}",
    )


def test_a_checkpoint_that_does_not_fit_is_no_reason_to_trust_the_events_before_it(bundle: Path) -> None:
    report = check_bundle(bundle, checkpoints=[given(15), given(20, lines=LINES[1:])])
    assert failed(report) == {"trusted_checkpoint"}
    assert not says(report, "only consistent with themselves")
