"""State root and subjects root: what the state was, and which events are all of a subject's events.

Both are RFC 9162 roots over canonical JSON (docs/spec/solvency.md §4). The state's leaves say of each
account what it was and, by count and running hash, which events touched it, so that who is shown an
account's events can tell that none is left out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ledger.canonical import decode_trusted, encode_trusted, leaf_hash
from ledger.events.envelope import subjects_of
from ledger.merkle import root_hash
from replay.state.snapshot import account_value, venue_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ledger.canonical import JsonObject
    from ledger.events.envelope import Event
    from replay.state.venue_state import VenueState

HISTORY = b"margin-ledger/subject/history/1\n"


class History(NamedTuple):
    """A subject's events, in two figures.

    Attributes:
        events: how many there are.
        hash: running hash over their hashes, 32 bytes; zeros before the first.
    """

    events: int
    hash: bytes

    def then(self, event_hash: bytes) -> History:
        """Return the history with one more event."""
        return History(self.events + 1, hashlib.sha256(HISTORY + self.hash + event_hash).digest())


NO_HISTORY = History(0, bytes(32))


class SubjectHistories:
    """Keeps the history of every subject; an observer of :func:`replay.fold.fold`.

    Attributes:
        by_subject: what the events so far come to, by subject (``account/A17``).
    """

    def __init__(self) -> None:
        self.by_subject: dict[str, History] = {}

    def __call__(self, _state: VenueState | None, event: Event) -> None:
        """Take an event; its subjects are read from the bytes that its hash is of."""
        entry = decode_trusted(event.canonical)
        assert isinstance(entry, dict)  # noqa: S101 (an event was decoded from it)
        recorded = entry["event"]
        assert isinstance(recorded, dict)  # noqa: S101 (likewise)
        for subject in subjects_of(recorded["data"]):
            self.by_subject[subject] = self.by_subject.get(subject, NO_HISTORY).then(event.hash)

    def of_account(self, account: str) -> History:
        """Return an account's history."""
        return self.by_subject.get(f"account/{account}", NO_HISTORY)

    def root(self) -> bytes:
        """Return the subjects root, 32 bytes."""
        return root_hash(leaf_hash(encode_trusted(leaf)) for leaf in self._leaves())

    def _leaves(self) -> Iterator[JsonObject]:
        for subject in sorted(self.by_subject, key=str.encode):
            history = self.by_subject[subject]
            yield {"events": history.events, "history": history.hash.hex(), "subject": subject}


@dataclass(frozen=True, slots=True)
class StateRoots:
    """The roots of one state.

    Attributes:
        state: state root, 32 bytes.
        subjects: subjects root, 32 bytes.
        accounts: hash of each account's leaf, by name; what differs between two states shows here.
    """

    state: bytes
    subjects: bytes
    accounts: Mapping[str, bytes]


def state_roots(state: VenueState, histories: SubjectHistories) -> StateRoots:
    """Return the roots of a state and of the histories that were observed on the way to it.

    One account at a time is written out; of each only its leaf's hash is kept.
    """
    accounts = {name: _account_leaf(state, name, histories) for name in sorted(state.accounts)}
    first = leaf_hash(encode_trusted({"state": venue_value(state), "venue": state.origin}))
    return StateRoots(root_hash([first, *accounts.values()]), histories.root(), accounts)


def _account_leaf(state: VenueState, name: str, histories: SubjectHistories) -> bytes:
    history = histories.of_account(name)
    leaf: JsonObject = {
        "account": name,
        "events": history.events,
        "history": history.hash.hex(),
        "state": account_value(state.accounts[name]),
    }
    return leaf_hash(encode_trusted(leaf))
