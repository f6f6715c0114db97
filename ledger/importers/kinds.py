"""The kinds of sources that can be imported, with their options: what a command line is made of."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, cast

from ledger.clock import parse_time
from ledger.errors import InvalidInputError
from ledger.importers import binance_prices, binance_tiers, hyperliquid, ndjson
from ledger.importers.files import Member, open_members

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta

    from ledger.importers.reading import ImportSource

OptionValue: TypeAlias = "str | bool | Sequence[str] | None"
Options: TypeAlias = "Mapping[str, OptionValue]"


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a kind.

    Attributes:
        name: its key, for example ``effective_at``; on the command line ``--effective-at``.
        help: one line for people.
        required: whether it must be given.
        multiple: whether it may be given more than once.
        is_flag: whether it takes no value.
        choices: the words it takes, or none where it takes any.
    """

    name: str
    help: str
    required: bool = False
    multiple: bool = False
    is_flag: bool = False
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return "--" + self.name.replace("_", "-")


@dataclass(frozen=True, slots=True)
class ImportKind:
    """A kind of source.

    Attributes:
        name: as it is typed.
        summary: one line for people.
        paths: what its arguments are.
        several: whether more than one path may be given.
        options: what it can be told.
        open: makes the source from paths and options.
    """

    name: str
    summary: str
    paths: Literal["DIR", "FILE"]
    several: bool
    options: tuple[Option, ...]
    open: Callable[[Sequence[str], Options], ImportSource]


def open_hyperliquid(paths: Sequence[str], options: Options) -> ImportSource:
    """Return the source for one folder of the venue's published history."""
    _only(options, ())
    if len(paths) != 1:
        raise InvalidInputError(f"{len(paths)} folders given, one is wanted", place=(hyperliquid.KIND,))
    return hyperliquid.HyperliquidSource(paths[0])


def open_binance_tiers(paths: Sequence[str], options: Options) -> ImportSource:
    """Return the source for files of leverage brackets, with one time for all files or one for each."""
    _only(options, _TIERS_OPTIONS)
    times = [_read_option("effective_at", text, parse_time) for text in _several(options, "effective_at")]
    if not times:
        raise _missing("effective_at", "the brackets apply from a time that the files do not tell")
    if len(times) not in (1, len(paths)):
        raise InvalidInputError(
            f"given {len(times)} times for {len(paths)} files; once for all or once for each is wanted",
            place=("--effective-at",),
        )
    files: list[tuple[Member, datetime]] = []
    for place, path in enumerate(_paths(paths)):
        files += [(member, times[place if len(times) > 1 else 0]) for member in open_members(path)]
    return binance_tiers.BinanceTiersSource(
        files, symbols=_several(options, "symbol"), strict=bool(options.get("strict"))
    )


def open_binance_klines(paths: Sequence[str], options: Options) -> ImportSource:
    """Return the source for files of price bars of one series."""
    _only(options, _KLINES_OPTIONS)
    series = _single(options, "as")
    target: binance_prices.BarTarget | binance_prices.AssetPriceTarget
    if series is None:
        raise _missing("as", f"one of {', '.join(_SERIES)}")
    if series not in _SERIES:
        raise InvalidInputError(f"{series!r} is none of {', '.join(_SERIES)}", place=("--as",))
    if series == "asset-price":
        asset, currency = _single(options, "asset"), _single(options, "valuation_currency")
        if asset is None or currency is None:
            raise _missing("asset" if asset is None else "valuation_currency", "--as asset-price needs it")
        target = binance_prices.AssetPriceTarget(asset, currency)
    else:
        instrument = _single(options, "instrument")
        if instrument is None:
            raise _missing("instrument", "the files do not tell whose bars they hold")
        target = binance_prices.BarTarget(instrument, cast("Literal['mark', 'last', 'index']", series))
    text = _single(options, "interval")
    interval: timedelta | None = (
        None if text is None else _read_option("interval", text, binance_prices.parse_interval)
    )
    return binance_prices.BinanceKlinesSource(_members(paths), target, interval)


def open_binance_funding(paths: Sequence[str], options: Options) -> ImportSource:
    """Return the source for files of funding rates of one instrument."""
    _only(options, _FUNDING_OPTIONS)
    instrument = _single(options, "instrument")
    if instrument is None:
        raise _missing("instrument", "the files do not tell whose funding rates they hold")
    return binance_prices.BinanceFundingSource(_members(paths), instrument)


def open_ndjson(paths: Sequence[str], options: Options) -> ImportSource:
    """Return the source for files of drafts, one JSON object a line."""
    _only(options, ())
    return ndjson.NdjsonSource(_members(paths))


_SERIES = ("mark", "last", "index", "asset-price")
_INSTRUMENT = Option("instrument", "The instrument's name, for example BTCUSDT.", required=True)
_TIERS_OPTIONS = (
    Option(
        "effective_at",
        "The time from which the brackets apply, with its zone; once for all files, or once for each.",
        required=True,
        multiple=True,
    ),
    Option("symbol", "Read this symbol only, for example BTCUSDT.", multiple=True),
    Option("strict", "Refuse a schedule that contradicts itself.", is_flag=True),
)
_KLINES_OPTIONS = (
    Option("as", "What the prices are.", required=True, choices=_SERIES),
    Option("instrument", "The instrument's name, for example BTCUSDT (for mark, last and index)."),
    Option("asset", "The asset whose price this is (for asset-price)."),
    Option("valuation_currency", "What the asset is valued in (for asset-price)."),
    Option("interval", "Length of a bar, for example 1m, 5m or 1h; by default it is told from the rows."),
)
_FUNDING_OPTIONS = (_INSTRUMENT,)

IMPORT_KINDS: Mapping[str, ImportKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            ImportKind(
                hyperliquid.KIND,
                "A folder of the venue's published history: trades, deposits and withdrawals, liquidations.",
                "DIR",
                several=False,
                options=(),
                open=open_hyperliquid,
            ),
            ImportKind(
                binance_tiers.KIND,
                "Leverage brackets of USDⓈ-M contracts (JSON).",
                "FILE",
                several=True,
                options=_TIERS_OPTIONS,
                open=open_binance_tiers,
            ),
            ImportKind(
                binance_prices.KLINES_KIND,
                "Price bars (CSV, also as archived in zip files).",
                "FILE",
                several=True,
                options=_KLINES_OPTIONS,
                open=open_binance_klines,
            ),
            ImportKind(
                binance_prices.FUNDING_KIND,
                "Funding rates (CSV).",
                "FILE",
                several=True,
                options=_FUNDING_OPTIONS,
                open=open_binance_funding,
            ),
            ImportKind(
                ndjson.KIND,
                "Drafts of any type, one JSON object a line; - is standard input.",
                "FILE",
                several=True,
                options=(),
                open=open_ndjson,
            ),
        )
    }
)
"""Kind by name."""


def open_source(kind: str, paths: Sequence[str], options: Options) -> ImportSource:
    """Return the source for paths and options of a kind.

    Raises:
        InvalidInputError: there is no such kind, an option is missing or wrong, or a file cannot be opened.
    """
    if kind not in IMPORT_KINDS:
        raise InvalidInputError(f"there is no source {kind!r}; known are {', '.join(IMPORT_KINDS)}")
    return IMPORT_KINDS[kind].open(paths, options)


def _members(paths: Sequence[str]) -> list[Member]:
    return [member for path in _paths(paths) for member in open_members(path)]


def _paths(paths: Sequence[str]) -> Sequence[str]:
    if not paths:
        raise InvalidInputError("no file was given")
    return paths


def _only(options: Options, allowed: Sequence[Option]) -> None:
    names = {option.name for option in allowed}
    for name, value in options.items():
        if name not in names and value not in (None, False, (), []):
            raise InvalidInputError("this source has no such option", place=(Option(name, "").flag,))


def _single(options: Options, name: str) -> str | None:
    given = _several(options, name)
    if len(given) > 1:
        raise InvalidInputError(f"given {len(given)} times, once is wanted", place=(Option(name, "").flag,))
    return given[0] if given else None


def _several(options: Options, name: str) -> Sequence[str]:
    value = options.get(name)
    if value is None or isinstance(value, bool):
        return ()
    return (value,) if isinstance(value, str) else value


def _read_option(name: str, text: str, parse: Callable[[str], _T]) -> _T:
    try:
        return parse(text)
    except InvalidInputError as error:
        raise error.within(Option(name, "").flag) from None


def _missing(name: str, why: str) -> InvalidInputError:
    return InvalidInputError(f"the option is missing: {why}", place=(Option(name, "").flag,))
