"""Leverage brackets of USDⓈ-M contracts, in the shapes in which they go round.

- an object {symbol: [tier, …]} with ``notionalFloor``/``notionalCap``/``maintenanceMarginRatio``,
- the same with ``minNotional``/``maxNotional``/``maintenanceMarginRate``,
- the exchange's own list [{"symbol": …, "brackets": [bracket, …]}, …].

Numbers are read as they are printed, E notation included, and never as floats.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import ValidationError

from ledger.amounts import ZERO, exact, format_exact, read_amount
from ledger.canonical import encode
from ledger.clock import format_time
from ledger.errors import InvalidEventError, InvalidInputError
from ledger.events.base import problem_text
from ledger.events.envelope import Draft, Source
from ledger.events.policies import MarginScheduleSet, MarginTier
from ledger.importers.binance import SYSTEM, declaration, listing, parse_symbol
from ledger.importers.reading import BEFORE_RECORDS, ImportedDraft, identity_name, import_id, inferred_draft

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime
    from decimal import Decimal

    from ledger.importers.files import Member
    from ledger.importers.reading import Warn

KIND = "binance-tiers"

_FLOOR = ("notionalFloor", "minNotional")
_CAP = ("notionalCap", "maxNotional")
_RATE = ("maintenanceMarginRate", "maintenanceMarginRatio", "maintMarginRatio")
_LEVERAGE = ("maxLeverage", "initialLeverage")
_RANK_INSTRUMENT = 1  # after the source's declaration
_RANK_SCHEDULE = 2


@dataclass(frozen=True, slots=True)
class BinanceTiersSource:
    """Bracket files, each in force from a time of its own.

    Attributes:
        files: the files with the time from which each applies.
        symbols: instruments to read, or none for all.
        strict: refuse a schedule that contradicts itself, rather than record it as sent with a warning.
    """

    files: Sequence[tuple[Member, datetime]]
    symbols: Collection[str] = ()
    strict: bool = False

    @property
    def label(self) -> str:
        """The files."""
        return ", ".join(member.label for member, _ in self.files)

    def read(self, warn: Warn) -> Iterator[ImportedDraft]:
        """Yield each symbol's listing and schedule.

        A symbol that is not a linear contract, or cannot be an identifier, is left out with a warning,
        unless it was asked for.

        Raises:
            InvalidInputError: an unknown shape, or a value out of its form; names symbol, tier and field.
        """
        listed: set[str] = set()
        wanted = {parse_symbol(symbol).instrument for symbol in self.symbols}
        yield declaration(self.files[0][0])
        for file, (member, effective_at) in enumerate(self.files):
            in_file: set[str] = set()
            refused: InvalidInputError | None = None
            for place, (symbol, tiers) in enumerate(_symbols(member), start=1):
                try:
                    reader = _SymbolReader(member, symbol, file, place, effective_at)
                except InvalidInputError as error:
                    if self.strict or symbol in self.symbols:
                        raise
                    refused = refused or error
                    warn(f"{error}; not read")
                    continue
                instrument = reader.contract.instrument
                if instrument in in_file:
                    warn(
                        f"{member.label}: {instrument} has more than one entry; the last is the one in force"
                    )
                in_file.add(instrument)
                if wanted and instrument not in wanted:
                    continue
                if instrument not in listed:
                    yield reader.listing()
                    listed.add(instrument)
                yield reader.schedule(tiers, warn, strict=self.strict)
            if not in_file:
                raise refused or member.error("the file holds no symbol")
            missing = sorted(wanted - in_file)
            if missing:
                raise InvalidInputError(
                    f"there is no symbol {missing[0]} in the file",
                    place=(member.label,),
                    next_step="see --symbol",
                )


def schedule_problems(tiers: Sequence[MarginTier]) -> list[str]:
    """Return how tiers contradict themselves: gaps, overlaps, or a maintenance amount that makes a jump.

    Without a jump, amount_n = amount_{n-1} + floor_n x (rate_n - rate_{n-1}).
    """
    problems = []
    expected = _maintenance_amounts(tiers)
    for number, (tier, amount) in enumerate(zip(tiers, expected, strict=True), start=1):
        before = tiers[number - 2] if number > 1 else None
        floor = ZERO if before is None else before.notional_cap
        if tier.notional_floor != floor:
            problems.append(f"tier {number} starts at {tier.notional_floor}, the one before ends at {floor}")
        if tier.notional_cap is not None and tier.notional_cap <= tier.notional_floor:
            problems.append(f"tier {number} ends at {tier.notional_cap}, before it starts")
        if tier.maintenance_amount != amount:
            problems.append(
                f"the maintenance amount of tier {number} is {tier.maintenance_amount}, "
                f"without a jump it is {format_exact(amount)}"
            )
    return problems


@exact()
def _maintenance_amounts(tiers: Sequence[MarginTier]) -> list[Decimal]:
    amounts: list[Decimal] = []
    for number, tier in enumerate(tiers):
        if number == 0:
            amounts.append(ZERO)
        else:
            step = tier.maintenance_margin_rate - tiers[number - 1].maintenance_margin_rate
            amounts.append(amounts[-1] + tier.notional_floor * step)
    return amounts


class _SymbolReader:
    """Reads the tiers of one symbol."""

    def __init__(self, member: Member, symbol: str, file: int, place: int, effective_at: datetime) -> None:
        self._member = member
        self._symbol = symbol
        self._file = file
        self._place = place
        self._effective_at = effective_at
        try:
            self.contract = parse_symbol(symbol)
        except InvalidInputError as error:
            raise error.within(member.label) from None
        if self.contract.inverse:
            raise InvalidInputError(
                f"{symbol} is settled in {self.contract.settlement_asset}; only linear ones are read here",
                place=(member.label, f"symbol {symbol}"),
            )
        try:
            self._listing = listing(self.contract)
        except ValidationError as error:
            raise self._invalid(error, ()) from None

    def listing(self) -> ImportedDraft:
        """Return the instrument, as far as its symbol tells."""
        draft = inferred_draft(KIND, self._listing, BEFORE_RECORDS, self._source())
        return self._imported(draft, _RANK_INSTRUMENT, None)

    def schedule(self, tiers: Any, warn: Warn, *, strict: bool) -> ImportedDraft:
        """Return the schedule; amounts that the file lacks are computed and the event marked as inferred."""
        if not isinstance(tiers, list) or not tiers:
            raise self._error("a list of tiers is wanted")
        read = [self._tier(number, tier) for number, tier in enumerate(tiers, start=1)]
        if any("currency" in tier and tier["currency"] != self.contract.settlement_asset for tier in tiers):
            raise self._error(f"currency is not {self.contract.settlement_asset}", "currency")
        inferred = any(amount is None for _, amount in read)
        schedule = [tier for tier, _ in read]
        if inferred:
            schedule.sort(key=lambda tier: tier.notional_floor)
            schedule = [
                tier.model_copy(update={"maintenance_amount": amount})
                for tier, amount in zip(schedule, _maintenance_amounts(schedule), strict=True)
            ]
        for problem in schedule_problems(schedule):
            if strict:
                raise InvalidInputError(
                    problem,
                    place=(self._member.label, f"symbol {self._symbol}"),
                    next_step="without --strict it is recorded as sent",
                )
            warn(f"{self._member.label}, symbol {self._symbol}: {problem}; recorded as sent")
        try:
            data = MarginScheduleSet(
                instrument=self.contract.instrument, effective_at=self._effective_at, tiers=schedule
            )
        except ValidationError as error:
            raise self._invalid(error, ()) from None
        try:
            raw = encode([self._symbol, tiers]).decode()
        except InvalidInputError as error:
            raise error.within(self._member.label, f"symbol {self._symbol}") from None
        name = identity_name(KIND, [format_time(self._effective_at)], raw)
        draft = Draft(
            data=data,
            occurred_at=self._effective_at,
            id=import_id(name, 0),
            source=self._source(inferred=True if inferred else None),
        )
        return self._imported(draft, _RANK_SCHEDULE, name)

    def _tier(self, number: int, tier: Any) -> tuple[MarginTier, Decimal | None]:
        place = f"tier {number}"
        if not isinstance(tier, dict):
            raise self._error("a tier is an object", place)
        info = tier.get("info")
        own_amount = tier.get("cum", info.get("cum") if isinstance(info, dict) else None)
        amount = None if own_amount is None else self._number(own_amount, place, "cum")
        try:
            read = MarginTier(
                notional_floor=self._wanted(tier, _FLOOR, place),
                notional_cap=self._optional(tier, _CAP, place),
                maintenance_margin_rate=self._wanted(tier, _RATE, place),
                maintenance_amount=ZERO if amount is None else amount,
                max_leverage=self._wanted(tier, _LEVERAGE, place),
            )
        except ValidationError as error:
            raise self._invalid(error, (place,)) from None
        return read, amount

    def _wanted(self, tier: dict[str, Any], names: Sequence[str], place: str) -> Decimal:
        value = self._optional(tier, names, place)
        if value is None:
            raise self._error(f"{names[0]} is missing", place, names[0])
        return value

    def _optional(self, tier: dict[str, Any], names: Sequence[str], place: str) -> Decimal | None:
        for name in names:
            if tier.get(name) is not None:
                return self._number(tier[name], place, name)
        return None

    def _number(self, value: Any, place: str, name: str) -> Decimal:
        if not isinstance(value, str):
            raise self._error(f"{value!r} is not a number", place, name)
        try:
            return read_amount(value)
        except InvalidInputError as error:
            raise error.within(self._member.label, f"symbol {self._symbol}", place, name) from None

    def _error(self, problem: str, *place: str) -> InvalidInputError:
        return InvalidInputError(problem, place=(self._member.label, f"symbol {self._symbol}", *place))

    def _invalid(self, error: ValidationError, place: tuple[str, ...]) -> InvalidInputError:
        problem = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        return InvalidEventError(
            problem_text(problem), place=(self._member.label, f"symbol {self._symbol}", *place, field)
        )

    def _source(self, *, inferred: bool | None = None) -> Source:
        return Source(system=SYSTEM, file=self._member.name, row=str(self._place), inferred=inferred)

    def _imported(self, draft: Draft, rank: int, name: bytes | None) -> ImportedDraft:
        return ImportedDraft(draft, rank, self._file, self._place, name, self._member.label)


def _symbols(member: Member) -> Iterator[tuple[str, Any]]:
    """Yield (symbol, tiers) of any of the shapes."""
    document = _parse(member)
    if isinstance(document, dict) and "brackets" in document:
        document = [document]
    if isinstance(document, dict):
        yield from document.items()
        return
    if not isinstance(document, list):
        raise member.error("an object {symbol: tiers} or a list of {symbol, brackets} is wanted")
    for number, entry in enumerate(document, start=1):
        if not isinstance(entry, dict) or not isinstance(entry.get("symbol"), str) or "brackets" not in entry:
            raise InvalidInputError(
                "an object with symbol and brackets is wanted", place=(member.label, f"entry {number}")
            )
        yield entry["symbol"], entry["brackets"]


def _parse(member: Member) -> Any:
    def refuse(text: str) -> NoReturn:
        raise member.error(f"{text} is not a number")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        if len(set(keys)) != len(keys):
            twice = next(key for index, key in enumerate(keys) if key in keys[:index])
            raise member.error(f"the key {twice!r} occurs twice in one object")
        return dict(pairs)

    try:
        return json.loads(
            member.document(), parse_float=str, parse_int=str, parse_constant=refuse, object_pairs_hook=unique
        )
    except json.JSONDecodeError as error:
        raise member.error(f"not JSON: {error.msg} at column {error.colno}", error.lineno) from None
    except RecursionError:
        raise member.error("nested too deep") from None
