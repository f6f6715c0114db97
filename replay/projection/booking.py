"""Booking one event on one account: cash, positions and flows change together or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ledger.amounts import MAXIMUM_SCALE, ZERO, Rounding, divide
from replay.margin.contracts import released_cost, signed_cost
from replay.state.records import Account, AccountProfile, Anomaly, InstrumentSettings, Position
from replay.state.venue_state import ANOMALIES_KEPT

if TYPE_CHECKING:
    from decimal import Decimal

    from replay.state.records import Flow, Instrument, OpenOrderKey, PositionKey, PositionSide
    from replay.state.venue_state import VenueState

MARGIN_SCALE = MAXIMUM_SCALE


class Booking:
    """One account's books, open for one event; :meth:`commit` writes them back as a new record.

    An account that nothing has named before comes into being with the defaults of its profile.
    """

    __slots__ = (
        "_account",
        "_state",
        "anomaly",
        "anomaly_count",
        "balances",
        "flows",
        "open_orders",
        "positions",
        "profile",
    )

    def __init__(self, state: VenueState, account: str, *, default: AccountProfile | None = None) -> None:
        found = state.accounts.get(account)
        if found is None:
            found = Account(account) if default is None else Account(account, default)
        self._state = state
        self._account = found
        self.profile = found.profile
        self.balances = dict(found.balances)
        self.positions = dict(found.positions)
        self.flows = dict(found.flows)
        self.anomaly = found.anomaly
        self.anomaly_count = found.anomaly_count
        self.open_orders = found.open_orders

    @property
    def name(self) -> str:
        """The account's name."""
        return self._account.account

    def commit(self, sequence: int) -> None:
        """Write the account back as touched by the event at ``sequence``, which counts once."""
        before = self._account
        self._state.accounts[before.account] = Account(
            before.account,
            self.profile,
            self.balances,
            self.positions,
            self.flows,
            before.event_count + (before.last_sequence != sequence),
            sequence,
            self.anomaly,
            self.anomaly_count,
            self.open_orders,
        )

    def doubt(self, sequence: int, code: str, message: str) -> None:
        """Put the account in doubt from this event on."""
        anomaly = Anomaly(sequence, code, message, self.name)
        self.anomaly = self.anomaly or anomaly
        self.anomaly_count += 1
        record_anomaly(self._state, anomaly)

    def margin_mode(self, instrument: str) -> str:
        """Return the margin mode in force for an instrument."""
        return self.profile.margin_mode_of(instrument)

    def position_mode(self, instrument: str) -> str:
        """Return the position mode in force for an instrument."""
        return self.profile.position_mode_of(instrument)

    def adopt_hedge_mode(self, instrument: str) -> bool:
        """Take hedge mode from a fill that names its side, if the account was never opened; tell whether."""
        settings = self.profile.settings.get(instrument)
        said = self.profile.opened or (settings is not None and settings.position_mode is not None)
        if said or any(side == "both" for _, side in self.positions):
            return False
        self.profile = replace(self.profile, position_mode="hedge")
        return True

    def adopt_isolated_mode(self, instrument: str) -> bool:
        """Take isolated margin from a margin adjustment, if the account was never opened; tell whether."""
        settings = self.profile.settings.get(instrument, InstrumentSettings())
        if self.profile.opened or settings.margin_mode is not None:
            return False
        self.set_for(instrument, replace(settings, margin_mode="isolated"))
        return True

    def set_for(self, instrument: str, settings: InstrumentSettings) -> None:
        """Put the account's settings for one instrument in force."""
        self.profile = replace(self.profile, settings={**self.profile.settings, instrument: settings})

    def release_margin_where_not_isolated(self) -> None:
        """Return isolated margins to the wallet where the margin mode in force is no longer isolated."""
        for key in list(self.positions):
            if self.margin_mode(key[0]) != "isolated":
                self.release_margin(key)

    def cash(self, flow: Flow, asset: str, amount: Decimal) -> None:
        """Add ``amount`` (negative takes) to the cross wallet."""
        self._flow(flow, asset, amount)
        self.balances[asset] = self.balances.get(asset, ZERO) + amount

    def isolated_cash(self, flow: Flow, key: PositionKey, asset: str, amount: Decimal) -> None:
        """Add ``amount`` to the position's isolated margin if it has one in the asset, else to the wallet."""
        position = self.positions.get(key)
        if position is None or position.isolated_margin is None or position.settlement_asset != asset:
            self.cash(flow, asset, amount)
            return
        self._flow(flow, asset, amount)
        self._put(
            position, position.quantity, position.cost, isolated_margin=position.isolated_margin + amount
        )

    def move_margin(self, instrument: Instrument, position_side: PositionSide, amount: Decimal) -> None:
        """Move ``amount`` from the cross wallet into a position's isolated margin; negative moves it out."""
        asset = instrument.settlement_asset
        key = (instrument.instrument, position_side)
        position = self.positions.get(key) or Position(
            instrument.instrument, position_side, ZERO, ZERO, asset
        )
        self.balances[asset] = self.balances.get(asset, ZERO) - amount
        margin = position.isolated_margin
        self._put(
            position,
            position.quantity,
            position.cost,
            isolated_margin=amount if margin is None else margin + amount,
        )

    def release_margin(self, key: PositionKey) -> None:
        """Return all of a position's isolated margin to the cross wallet."""
        position = self.positions[key]
        if position.isolated_margin is not None:
            asset = position.settlement_asset
            self.balances[asset] = self.balances.get(asset, ZERO) + position.isolated_margin
            self._put(position, position.quantity, position.cost, isolated_margin=None)

    def trade(
        self,
        flow: Flow,
        instrument: Instrument,
        position_side: PositionSide,
        quantity: Decimal,
        price: Decimal,
    ) -> None:
        """Buy (positive) or sell ``quantity`` contracts at ``price``.

        The books change by exactly the traded value at scale 18. What reduces a position releases
        cost in proportion and pays the difference as realised PnL into the cross wallet, with the
        released part of the isolated margin; what crosses zero is a close and an open.

        Raises:
            ZeroDivisionError: an inverse contract at price zero; nothing has changed then.
        """
        contract, size, asset = instrument.priced_as, instrument.contract_size, instrument.settlement_asset
        value = signed_cost(contract, quantity, size, price)
        key = (instrument.instrument, position_side)
        position = self.positions.get(key)
        self._count_open_interest(instrument.instrument, position, quantity)
        if position is None:
            self.positions[key] = Position(instrument.instrument, position_side, quantity, value, asset)
        else:
            held = position.quantity
            if not held or (held > 0) == (quantity > 0):
                self._put(
                    position, held + quantity, position.cost + value, isolated_margin=position.isolated_margin
                )
            elif abs(quantity) <= abs(held):
                self._reduce(position, -quantity, value)
            else:
                closing_value = signed_cost(contract, -held, size, price)
                self._reduce(position, held, closing_value)
                self.positions[key] = Position(
                    instrument.instrument, position_side, held + quantity, value - closing_value, asset
                )
        self._flow(flow, asset, -value)

    def _count_open_interest(self, instrument: str, position: Position | None, quantity: Decimal) -> None:
        held = ZERO if position is None else position.quantity
        change = max(held + quantity, ZERO) - max(held, ZERO)
        if change:
            interest = self._state.open_interest
            interest[instrument] = interest.get(instrument, ZERO) + change

    def _reduce(self, position: Position, closed: Decimal, value: Decimal) -> None:
        """Take ``closed`` (same sign as the position) out of it against a traded ``value``."""
        held = position.quantity
        cost = released_cost(position.cost, held, closed)
        cash = -value - cost
        margin = position.isolated_margin
        if margin is not None:
            released = margin
            if closed != held:
                released = divide(margin * closed, held, scale=MARGIN_SCALE, rounding=Rounding.HALF_EVEN)
            margin -= released
            cash += released
        asset = position.settlement_asset
        self.balances[asset] = self.balances.get(asset, ZERO) + cash
        self._put(
            position, held - closed, position.cost - cost, isolated_margin=None if closed == held else margin
        )

    def order(self, key: OpenOrderKey, quantity: Decimal) -> None:
        """Add ``quantity`` contracts (negative takes) to what stands in open orders."""
        left = self.open_orders.get(key, ZERO) + quantity
        self.open_orders = {each: held for each, held in self.open_orders.items() if each != key}
        if left:
            self.open_orders[key] = left

    def _flow(self, flow: Flow, asset: str, amount: Decimal) -> None:
        key = (flow, asset)
        self.flows[key] = self.flows.get(key, ZERO) + amount

    def _put(
        self, position: Position, quantity: Decimal, cost: Decimal, *, isolated_margin: Decimal | None
    ) -> None:
        key = (position.instrument, position.position_side)
        if quantity or isolated_margin:
            self.positions[key] = Position(
                position.instrument,
                position.position_side,
                quantity,
                cost,
                position.settlement_asset,
                isolated_margin,
            )
        else:
            self.positions.pop(key, None)


def record_anomaly(state: VenueState, anomaly: Anomaly) -> None:
    """Count an anomaly, and keep it in full while there is room."""
    state.anomaly_counts[anomaly.code] = state.anomaly_counts.get(anomaly.code, 0) + 1
    if len(state.anomalies) < ANOMALIES_KEPT:
        state.anomalies = (*state.anomalies, anomaly)
