"""Event bytes against the slow and obvious way to them, for every type of the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import decode_canonical, encode
from ledger.errors import InvalidEventError
from ledger.events.envelope import Draft, Source, prepare, without_null
from ledger.events.registry import PAYLOADS
from tests.support.events import START
from tests.support.examples import EVENT_ID, EXAMPLES, draft_json
from tests.support.random_events import payloads
from tests.support.strategies import free_data, plain_texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.canonical import JsonObject
    from ledger.events.base import Payload

OTHER_ID = UUID("a5b6c7d8-0f4b-4f3e-9d55-0d3a3b0f6a11")
TEXTS = st.none() | plain_texts(min_size=1, max_size=12)
TIMES = st.none() | st.just(START)


def drafts() -> st.SearchStrategy[Draft]:
    return st.builds(
        Draft,
        data=payloads() | st.builds(example, st.sampled_from(sorted(EXAMPLES))),
        occurred_at=st.just(START),
        id=st.sampled_from([None, UUID(EVENT_ID)]),
        received_at=TIMES,
        processed_at=TIMES,
        actor=TEXTS,
        causation=st.sampled_from([None, OTHER_ID]),
        correlation=TEXTS,
        source=st.none() | st.builds(Source, system=TEXTS, row=st.sampled_from([None, "0", "7"])),
    )


def example(event_type: str) -> Payload:
    return Draft.from_json(draft_json(event_type)).data


def dumped(draft: Draft, event_id: UUID) -> dict[str, Any]:
    """The event object as pydantic writes it."""
    event = draft.model_dump(mode="json", exclude_none=True, exclude={"data"})
    if event.get("source") == {}:
        del event["source"]
    event["data"] = draft.data.model_dump(mode="json", exclude_none=True, by_alias=True)
    return event | {"id": str(event_id), "schema": draft.data.schema_number, "type": draft.type}


@given(drafts(), st.sampled_from([UUID(EVENT_ID), OTHER_ID]))
def test_event_bytes_are_the_canonical_form_of_what_the_models_hold(draft: Draft, event_id: UUID) -> None:
    event = prepare(draft, event_id)
    assert event.event_bytes == encode(dumped(draft, event_id))
    assert Draft.from_json(decode_canonical(event.event_bytes)).data == draft.data


@given(free_data())
def test_free_data_is_written_in_canonical_form(replacement: dict[str, Any]) -> None:
    data = {**EXAMPLES["CorrectionRecorded"], "replacement": replacement}
    draft = Draft.from_json(draft_json("CorrectionRecorded", data=data))
    assert prepare(draft, OTHER_ID).event_bytes == encode(dumped(draft, OTHER_ID))


def sprinkled(draw: Callable[[st.SearchStrategy[Any]], Any], value: Any, known: list[str]) -> Any:
    """The same value with null under some keys that are there and some that are not."""
    if isinstance(value, list):
        return [sprinkled(draw, item, known) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {
        key: None if draw(st.integers(0, 9)) == 0 else sprinkled(draw, item, known)
        for key, item in value.items()
    }
    return kept | dict.fromkeys(draw(st.lists(st.sampled_from(known), max_size=2)))


@given(st.data())
def test_null_means_absence_wherever_it_stands(data: st.DataObject) -> None:
    event_type = data.draw(st.sampled_from(sorted(PAYLOADS)))
    known = [*EXAMPLES[event_type], "surprise"]
    given_data = sprinkled(data.draw, EXAMPLES[event_type], known)
    without = draft_json(event_type, data=without_null(given_data))
    assert outcome(draft_json(event_type, data=given_data)) == outcome(without)


def outcome(value: JsonObject) -> bytes | tuple[object, ...]:
    try:
        return prepare(Draft.from_json(value), OTHER_ID).event_bytes
    except InvalidEventError as error:
        return (error.place, error.problem, error.next_step)
