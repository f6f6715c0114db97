"""Canonical JSON against a ten-line RFC 8785 of its own."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.canonical import decode, decode_canonical, encode
from ledger.errors import CanonicalFormError
from tests.support.strategies import json_values

SHORT = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def jcs(value: Any) -> str:
    """RFC 8785, for values without floats."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        escaped = (SHORT.get(ord(c)) or (f"\\u{ord(c):04x}" if ord(c) < 32 else c) for c in value)
        return f'"{"".join(escaped)}"'
    if isinstance(value, list):
        return f"[{','.join(map(jcs, value))}]"
    by_code_unit = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return f"{{{','.join(f'{jcs(key)}:{jcs(value[key])}' for key in by_code_unit)}}}"


@given(json_values())
def test_encoding_is_rfc_8785(value: Any) -> None:
    assert encode(value) == jcs(value).encode()


@given(json_values())
def test_what_is_encoded_is_read_back(value: Any) -> None:
    assert decode_canonical(encode(value)) == value


@given(json_values(), st.data())
def test_a_changed_byte_is_refused_or_is_another_canonical_text(value: Any, data: st.DataObject) -> None:
    canonical = encode(value)
    at = data.draw(st.integers(0, len(canonical) - 1))
    byte = data.draw(st.one_of(st.sampled_from(b'"\\{}[],: 0129-+.eEtfn\x00\x7f\xc3'), st.integers(0, 255)))
    mutated = data.draw(
        st.sampled_from(
            [
                canonical[:at] + bytes([byte]) + canonical[at + 1 :],
                canonical[:at] + bytes([byte]) + canonical[at:],
                canonical[:at] + canonical[at + 1 :],
            ]
        )
    )
    with contextlib.suppress(CanonicalFormError):
        assert encode(decode_canonical(mutated)) == mutated


def read_step_by_step(data: bytes) -> Any:
    """Read strictly, write with every check, compare: what decode_canonical means."""
    value = decode(data)
    if encode(value) != data:
        raise CanonicalFormError("not in canonical form")
    return value


TOKENS = st.one_of(
    st.sampled_from(["{", "}", "[", "]", ",", ":", " ", "true", "null"]),
    st.sampled_from(['"a"', '"b"', '"é"', '"\\u0061"', '"\\n"', '"\\ud800"']),
    st.sampled_from(["0", "-0", "1", "1.0", "1e2", "-7", "9007199254740992", "NaN"]),
)


@given(
    st.one_of(
        st.lists(TOKENS, max_size=9).map("".join),
        st.lists(st.tuples(st.sampled_from("abé"), TOKENS), max_size=4).map(
            lambda members: "{" + ",".join(f'"{key}":{value}' for key, value in members) + "}"
        ),
        st.integers(60, 70).map(lambda depth: "[" * depth + "]" * depth),
        st.integers(60, 70).map(lambda depth: '{"a":' * depth + "1" + "}" * depth),
    )
)
@example('{"é":1}')
@example('{"a":1.5}')
@example('{"a":1,"a":1}')
@example('{"b":1,"a":1}')
@example("[123456789012345678901234567890]")
def test_canonical_bytes_are_those_that_strict_reading_and_writing_leave_as_they_are(text: str) -> None:
    data = text.encode()
    try:
        expected = read_step_by_step(data)
    except CanonicalFormError:
        with pytest.raises(CanonicalFormError):
            decode_canonical(data)
    else:
        assert decode_canonical(data) == expected


@given(st.binary(max_size=40))
@example(b"1.0")
@example(b"-0")
@example(b'"\\ud83d\\ude00"')
def test_any_bytes_are_refused_or_read(text: bytes) -> None:
    with contextlib.suppress(CanonicalFormError):
        assert decode_canonical(encode(decode(text))) == decode(text)
