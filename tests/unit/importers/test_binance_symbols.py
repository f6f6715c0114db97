import pytest

from ledger.clock import format_time
from ledger.errors import InvalidInputError
from ledger.importers.binance import listing, parse_symbol


@pytest.mark.parametrize(
    ("symbols", "instrument", "base", "quote"),
    [
        (["BTCUSDT", "BTC/USDT", "BTC/USDT:USDT"], "BTCUSDT", "BTC", "USDT"),
        (["BTCUSDT_251226", "BTC/USDT:USDT-251226"], "BTCUSDT_251226", "BTC", "USDT"),
        (["1000SHIBBUSD", "1000SHIB/BUSD", "1000SHIB/BUSD:BUSD"], "1000SHIBBUSD", "1000SHIB", "BUSD"),
        (["ETHBTC", "ETH/BTC", "ETH/BTC:BTC"], "ETHBTC", "ETH", "BTC"),
        (["BTCSTUSDT", "BTCST/USDT:USDT"], "BTCSTUSDT", "BTCST", "USDT"),
        (["USDCUSDT", "USDC/USDT:USDT"], "USDCUSDT", "USDC", "USDT"),
    ],
)
def test_one_contract_has_one_name_however_it_is_written(
    symbols: list[str], instrument: str, base: str, quote: str
) -> None:
    contracts = [parse_symbol(symbol) for symbol in symbols]
    assert set(contracts) == {contracts[0]}
    contract = contracts[0]
    assert (contract.instrument, contract.base, contract.quote) == (instrument, base, quote)
    assert contract.settlement_asset == quote
    assert not contract.inverse


def test_a_dated_contract_is_a_future_that_expires_at_eight() -> None:
    contract = parse_symbol("BTC/USDT:USDT-251226")
    assert contract.expires_at is not None
    assert format_time(contract.expires_at) == "2025-12-26T08:00:00.000000Z"
    assert listing(contract).kind == "future"
    assert listing(parse_symbol("BTCUSDT")).kind == "perpetual"


@pytest.mark.parametrize(
    ("symbols", "instrument"),
    [
        (["BTCUSD_PERP", "BTC/USD:BTC"], "BTCUSD_PERP"),
        (["BTCUSD_251226", "BTC/USD:BTC-251226"], "BTCUSD_251226"),
    ],
)
def test_a_contract_settled_in_its_base_is_inverse(symbols: list[str], instrument: str) -> None:
    for symbol in symbols:
        assert parse_symbol(symbol).inverse
        assert parse_symbol(symbol).instrument == instrument


@pytest.mark.parametrize(
    "symbol", ["", "BTC", "USDT", "BTCEUR", "BTCUSDT_251399", "BTC/USDT:USDT-251340", "A/B/C"]
)
def test_a_symbol_that_cannot_be_read_is_refused(symbol: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_symbol(symbol)
