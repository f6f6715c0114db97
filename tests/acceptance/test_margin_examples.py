"""The worked examples of docs/explanation/margin.md, executed: drafts are folded, every figure is compared.

An example is a section of the page with blocks of drafts (``jsonl``), each followed by one block (``json``)
of fields that ``replay account A --json`` shows after them. Blocks of a section continue one history, which
begins with the drafts of "The market of all examples". Indented lines are the figures by hand.
"""

from __future__ import annotations

import ast
import json
import operator
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ledger.amounts import Rounding, divide, exact
from ledger.events.envelope import Draft
from ledger.events.registry import PAYLOADS
from replay.margin import evaluate
from replay.margin.results import ACCOUNT_FIGURES, POSITION_FIGURES
from replay.projection import apply, initial
from tests.support.events import by_id, recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ledger.events.envelope import Event

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = (REPOSITORY / "docs" / "explanation" / "margin.md").read_text(encoding="utf-8")
MARKET = "The market of all examples"
OPENING = PAYLOADS["LedgerOpened"].model_validate(
    {
        "ledger": "venue.example/perpetuals",
        "format": "margin-ledger/1",
        "description": "the examples",
        "valuation_currency": "USD",
    }
)

_SECTION = re.compile(r"^### (?P<title>.+)\n(?P<body>(?:(?!^##).*\n)*)", re.MULTILINE)
_BLOCK = re.compile(r"^```(?P<kind>\w*)\n(?P<content>.*?)^```$", re.MULTILINE | re.DOTALL)
_BY_HAND = re.compile(
    r"    (?P<name>\w+)[^=]* = (?P<working>[-−+×÷()\d. ]+) = (?P<value>[-−]?[\d.]+)"
    r"(?:, rounded (?P<rounding>half-even|up|down))?",
)
_ROUNDINGS = {"half-even": Rounding.HALF_EVEN, "up": Rounding.UP, "down": Rounding.DOWN}
_OPERATORS: dict[type[ast.AST], Callable[..., Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
}


@dataclass(frozen=True)
class Example:
    """One section: its title, its text, and its blocks in order as (kind, content)."""

    title: str
    body: str

    @property
    def blocks(self) -> list[tuple[str, str]]:
        return [(block["kind"], block["content"]) for block in _BLOCK.finditer(self.body)]


SECTIONS = {found["title"]: Example(found["title"], found["body"]) for found in _SECTION.finditer(PAGE)}
EXAMPLES = [each for each in SECTIONS.values() if each.blocks and each.title != MARKET]


def drafts(content: str) -> list[Draft]:
    return [Draft.from_json(json.loads(line)) for line in content.splitlines()]


def steps(example: Example) -> Iterator[tuple[list[Draft], dict[str, Any]]]:
    """Return each block of drafts with the figures after it; a block that stands alone fails."""
    blocks = example.blocks
    kinds = [kind for kind, _ in blocks]
    assert kinds == ["jsonl", "json"] * (len(blocks) // 2), (
        f"{example.title}: every block of drafts (jsonl) is followed by one of figures (json): {kinds}"
    )
    for (_, given), (_, expected) in zip(blocks[::2], blocks[1::2], strict=True):
        yield drafts(given), json.loads(expected)


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """Name every stated figure that is not the evaluated one; what is not stated is not compared.

    ``positions`` lists all of them in order; of ``notes`` any are stated.
    """
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key, value in expected.items():
            if key not in actual:
                yield f"{path}{key} is not a field"
            else:
                yield from differences(value, actual[key], f"{path}{key}.")
    elif path == "notes." and isinstance(expected, list):
        for note in expected:
            if all(any(differences(note, each)) for each in actual):
                yield f"{path} {note} is not among {[each['code'] for each in actual]}"
    elif isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            yield f"{path} has {len(actual)} entries, stated are {len(expected)}"
        for number, (one, other) in enumerate(zip(expected, actual, strict=False)):
            yield from differences(one, other, f"{path}{number}.")
    elif expected != actual:
        yield f"{path} stated {expected}, evaluated {actual}"


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) > 10, list(SECTIONS)


@pytest.mark.parametrize(
    "blocks", ["```jsonl\n```\n", "```json\n{}\n```\n", "```jsonl\n```\n\n```text\n```\n"]
)
def test_a_block_without_a_stated_result_fails(blocks: str) -> None:
    with pytest.raises(AssertionError, match="followed by one of figures"):
        list(steps(Example("an example", blocks)))


def test_the_notes_that_the_page_explains_are_those_that_an_evaluation_gives() -> None:
    table = PAGE.partition("| note | what it says |")[2].partition("\n\n")[0]
    explained = {
        code for row in table.splitlines() for code in re.findall(r"`(\w+)`", row.split("|")[1:2][0])
    }
    sources = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "replay" / "margin").glob("*.py")]
    given = {code for text in sources for code in re.findall(r'(?:Note|notes\.add)\(\s*"(\w+)"', text)}
    chosen = {code for text in sources for code in re.findall(r'code = "(\w+)" if .* else "(\w+)"', text)}
    assert explained == given.union(*chosen), explained ^ given.union(*chosen)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.title)
def test_an_example_is_what_the_evaluation_says(example: Example) -> None:
    state = initial()
    apply(state, recorded(0, OPENING))
    events: list[Event] = []

    def append(draft: Draft) -> None:
        event = recorded(state.sequence + 1, draft.data, occurred_at=draft.occurred_at)
        events.append(event if draft.id is None else replace(event, id=draft.id))
        apply(state, events[-1], by_id(events).get)

    ((market, content),) = SECTIONS[MARKET].blocks
    assert market == "jsonl"
    for draft in drafts(content):
        append(draft)
    found = []
    for given, expected in steps(example):
        for draft in given:
            append(draft)
        assert set(expected) > {"account"}, "the figures name an account and something of it"
        actual = evaluate(state, expected["account"]).json_value()
        found += list(differences(expected, actual))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.title)
def test_figures_by_hand_are_right_and_are_those_of_the_example(example: Example) -> None:
    stated: dict[str, set[str]] = {}
    for _, expected in steps(example):
        collect(expected, stated)
    lines = [line for line in _BLOCK.sub("", example.body).splitlines() if line.startswith("    ")]
    for line in lines:
        found = _BY_HAND.fullmatch(line)
        assert found is not None, f"not a figure worked out by hand: {line!r}"
        value = plain(found["value"])
        rounding = _ROUNDINGS.get(found["rounding"] or "")
        assert rounded(work_out(found["working"]), value, rounding) == Decimal(value), line
        if found["name"] in (*ACCOUNT_FIGURES, *POSITION_FIGURES):
            assert value in stated.get(found["name"], set()), f"{line!r} is not stated: {stated}"


def collect(value: Any, stated: dict[str, set[str]]) -> None:
    """Gather the figures of a result by the name of their field."""
    if isinstance(value, dict):
        for name, item in value.items():
            if isinstance(item, str):
                stated.setdefault(name, set()).add(item)
            collect(item, stated)
    elif isinstance(value, list):
        for item in value:
            collect(item, stated)


def plain(number: str) -> str:
    return number.replace("−", "-")


def work_out(working: str) -> Fraction:
    """Evaluate sums and quotients of numbers, exactly."""
    text = plain(working).replace("×", "*").replace("÷", "/")
    numbers = re.sub(r"\d+(?:\.\d+)?", lambda number: repr(number[0]), text)
    return _value(ast.parse(numbers.strip(), mode="eval").body)


def _value(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant):
        return Fraction(str(node.value))
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    assert isinstance(node, ast.UnaryOp), ast.dump(node)
    return _OPERATORS[type(node.op)](_value(node.operand))


@exact()
def rounded(value: Fraction, stated: str, rounding: Rounding | None) -> Decimal:
    """Return a value at the scale of the stated figure; one that is not said to be rounded is exact."""
    scale = len(stated.partition(".")[2])
    quotient = divide(
        Decimal(value.numerator), Decimal(value.denominator), scale=scale, rounding=rounding or Rounding.DOWN
    )
    assert rounding is not None or Fraction(quotient) == value, f"{stated} is rounded: {value}"
    return quotient
