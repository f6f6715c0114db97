from __future__ import annotations

from typing import Any

import pytest

from ledger.canonical import MAXIMUM_DEPTH, decode, decode_canonical, encode, leaf_hash
from ledger.errors import CanonicalFormError


def test_keys_are_sorted_and_nothing_is_escaped_that_need_not_be() -> None:
    value: Any = {"b": [True, None, 2], "a": "é\u2028\U0001f600\x7f", "B": '\b\t\n\f\r\x00\x1f"\\/'}
    assert encode(value) == (
        '{"B":"\\b\\t\\n\\f\\r\\u0000\\u001f\\"\\\\/","a":"é\u2028\U0001f600\x7f","b":[true,null,2]}'.encode()
    )


@pytest.mark.parametrize(
    ("value", "place", "problem"),
    [
        ({"a": [1, 1.5]}, ("a.1",), "the number 1.5 is a float"),
        ({"a": {"b": 2**53}}, ("a.b",), "the integer 9007199254740992 is not below 2^53"),
        ({"a": -(2**53)}, ("a",), "not below 2^53"),
        ({"a": {"é": 1}}, ("a",), "the key 'é' is not ASCII"),
        ({"a": {1: 1}}, ("a",), "the key 1 is not ASCII"),
        ({"a": "\ud800"}, ("a",), "a lone surrogate"),
        ({"a": (1,)}, ("a",), "a tuple has no canonical form"),
        ({"a": float("nan")}, ("a",), "the number nan is a float"),
        (b"", (), "a bytes has no canonical form"),
    ],
)
def test_a_value_outside_the_profile_is_refused_with_its_place(
    value: Any, place: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(CanonicalFormError) as caught:
        encode(value)
    assert problem in caught.value.problem
    assert caught.value.place == place


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        (
            b'{"data":{"tiers":[{"rate":"0.1"},{"rate":0.1}]}}',
            ("data.tiers.1.rate",),
            "the number 0.1 is a float",
        ),
        (b'{"a":1e2}', ("a",), "the number 1e2 is a float"),
        (b'{"a":NaN}', ("a",), "the number NaN is a float"),
        (b"[-Infinity]", ("0",), "the number -Infinity is a float"),
        (b'{"a":-0}', ("a",), "-0 is not in canonical form"),
        (b'{"a":9007199254740992}', ("a",), "not below 2^53"),
        (b'{"a":' + b"9" * 5000 + b"}", ("a",), "an integer of 5000 digits"),
        (b'{"a":{"b":1,"c":2,"b":3}}', ("a",), "the key 'b' occurs twice"),
        (b'{"a":"\\ud800"}', ("a",), "a lone surrogate"),
        (b'{"\\u00e9":1}', (), "is not ASCII"),
        (b'{"a":\xff}', (), "byte 5 is not UTF-8"),
        (b'{"a":1}x', (), "not JSON: Extra data at character 8"),
        (b'{"a":1.5', (), "the number 1.5 is a float"),
        (b"", (), "not JSON"),
        (b"\xef\xbb\xbf{}", (), "not JSON"),
        (b"{'a':1}", (), "not JSON"),
        (b'{"a":"\x01"}', (), "not JSON"),
        (b'{"a":01}', (), "not JSON"),
    ],
)
def test_text_outside_the_profile_is_refused_with_its_place(
    text: bytes, place: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(CanonicalFormError) as caught:
        decode(text)
    assert problem in caught.value.problem
    assert caught.value.place == place


def test_the_first_refusal_in_the_text_is_the_one_told() -> None:
    with pytest.raises(CanonicalFormError) as caught:
        decode(b'{"z":[{"y":0.5}],"a":0.25}')
    assert caught.value.place == ("z.0.y",)


def test_depth_is_bounded_on_both_ways() -> None:
    deepest: Any = "x"
    for _ in range(MAXIMUM_DEPTH):
        deepest = [deepest]
    assert decode_canonical(encode(deepest)) == deepest
    with pytest.raises(CanonicalFormError, match="deeper than 64"):
        encode([deepest])
    with pytest.raises(CanonicalFormError, match="deeper than 64"):
        decode(b"[" + encode(deepest) + b"]")
    with pytest.raises(CanonicalFormError, match="deeper than 64"):
        decode(b"[" * 100_000 + b"]" * 100_000)


def test_many_repeated_keys_are_refused_without_comparing_each_with_each() -> None:
    keys = b",".join(b'"%d":1' % number for number in range(100_000))
    with pytest.raises(CanonicalFormError, match="'99999' occurs twice"):
        decode(b"{" + keys + b',"99999":1}')


@pytest.mark.parametrize(
    ("text", "at"),
    [
        (b'{"b":1,"a":2}', 2),
        (b'{"a": 1}', 5),
        (b'{"a":1}\n', 7),
        (b'{"a":"\\u0041"}', 6),
        (b'{"a":"\\/"}', 6),
    ],
)
def test_other_spellings_are_read_but_not_canonical(text: bytes, at: int) -> None:
    assert decode(text) is not None
    with pytest.raises(CanonicalFormError, match=f"differs from it at byte {at}$"):
        decode_canonical(text)


def test_the_leaf_hash_has_its_own_prefix() -> None:
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
