"""No single changed, lost or added byte of the events goes unseen, whoever fixes up the manifest."""

from __future__ import annotations

import contextlib
import io
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.export import verify
from ledger.export.check import check_bundle
from tests.support.bundles import reseal, sealed_venue, write_bundle

LINES = sealed_venue(7)
EVENTS = b"".join(line + b"\n" for line in LINES)
places = st.integers(min_value=0, max_value=len(EVENTS) - 1)


def found_by_both(changed: bytes, *, fixed_up: bool) -> tuple[bool, bool]:
    with tempfile.TemporaryDirectory() as folder:
        bundle = write_bundle(Path(folder) / "bundle", LINES)
        (bundle / "events.jsonl").write_bytes(changed)
        if fixed_up:
            reseal(bundle)
        with contextlib.redirect_stdout(io.StringIO()):
            exit_code = verify.check(bundle, None, None)
        return not check_bundle(bundle).ok, exit_code == 3


@settings(max_examples=150, deadline=None)
@given(place=places, value=st.integers(min_value=0, max_value=255))
def test_every_changed_byte_of_the_events_is_found(place: int, value: int) -> None:
    changed = EVENTS[:place] + bytes([value]) + EVENTS[place + 1 :]
    expected = changed != EVENTS
    assert found_by_both(changed, fixed_up=False) == (expected, expected)


@settings(max_examples=150, deadline=None)
@given(place=st.integers(min_value=0, max_value=len(EVENTS) - len(LINES[-1]) - 2), value=st.integers(0, 255))
def test_every_changed_byte_before_the_last_event_is_found_although_manifest_and_checksums_are_fixed_up(
    place: int, value: int
) -> None:
    changed = EVENTS[:place] + bytes([value]) + EVENTS[place + 1 :]
    expected = changed != EVENTS
    assert found_by_both(changed, fixed_up=True) == (expected, expected)


@settings(max_examples=50, deadline=None)
@given(place=places, added=st.binary(max_size=3))
def test_every_lost_or_added_byte_is_found(place: int, added: bytes) -> None:
    changed = (
        EVENTS[:place] + added + EVENTS[place + 1 :]
        if len(added) != 1
        else EVENTS[:place] + added + EVENTS[place:]
    )
    assert found_by_both(changed, fixed_up=False) == (True, True)
