"""Does a liquidation take only the steps that the risk policy lists?"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from replay.audit.check import Check, FindingKind
from replay.audit.terms import ADL, INSURANCE_FUND, SOCIALISED_LOSS, completes_loss, moment_of
from replay.findings import Severity
from replay.state.schedules import in_force

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.events.cash import InsuranceFundDrawn, LossSocialised
    from ledger.events.envelope import Event
    from ledger.events.liquidations import PositionAutoDeleveraged
    from replay.audit.recorder import Decision
    from replay.state.venue_state import VenueState

NOT_IN_POLICY = FindingKind(
    "waterfall_step_not_in_policy",
    Severity.ERROR,
    "A liquidation takes a step that the waterfall of the risk policy in force at its decision does not "
    "list: the insurance fund takes a position over (allowed by `insurance_fund` and by `socialised_loss`) "
    "or pays (`insurance_fund`), somebody is auto-deleveraged (`adl`), or a loss is shared out "
    "(`socialised_loss`, at its last part). Only where the policy records a waterfall. Evidence: the "
    "event, the decision and the policy.",
)


class WaterfallSteps(Check):
    """Holds every step against the policy."""

    name = "waterfall_step_not_in_policy"
    kinds = (NOT_IN_POLICY,)
    event_types = frozenset({"InsuranceFundDrawn", "PositionAutoDeleveraged", "LossSocialised"})

    def before(self, state: VenueState, event: Event) -> None:
        """Look at a step that is an event of its own."""
        if event.type == "InsuranceFundDrawn":
            drawn = cast("InsuranceFundDrawn", event.data)
            self._step(
                state, event, drawn.liquidation, drawn.account, "the insurance fund paid", INSURANCE_FUND
            )
        elif event.type == "PositionAutoDeleveraged":
            closed = cast("PositionAutoDeleveraged", event.data)
            did = f"{closed.counterparty_account} was auto-deleveraged"
            self._step(state, event, closed.liquidation, closed.bankrupt_account, did, ADL)
        else:
            loss = cast("LossSocialised", event.data)
            if completes_loss(state, loss):
                self._step(state, event, loss.liquidation, None, "a loss was shared out", SOCIALISED_LOSS)

    def finish(self, _state: VenueState) -> None:
        """Look at what the insurance fund took over."""
        log = self.facts.closings
        for takeover in (each for name in log.liquidations() for each in log.takeovers(name)):
            decision, instrument = takeover.decision, takeover.trade.key[0]
            did = f"{takeover.fund} took over {instrument}"
            policy = decision.judgement.policy
            steps = (INSURANCE_FUND, SOCIALISED_LOSS)
            self._judge(
                takeover.sequence, decision, decision.account, policy.waterfall, policy.sequence, did, steps
            )

    def _step(
        self,
        state: VenueState,
        event: Event,
        liquidation: str | None,
        account: str | None,
        did: str,
        step: str,
    ) -> None:
        decision = self.facts.liquidations.decision(liquidation)
        policy = in_force(state.risk_policies, moment_of(state, event))
        if decision is not None:
            policy, account = decision.judgement.policy, decision.account
        if policy is not None:
            self._judge(event.sequence, decision, account, policy.waterfall, policy.sequence, did, (step,))

    def _judge(
        self,
        sequence: int,
        decision: Decision | None,
        account: str | None,
        waterfall: tuple[str, ...] | None,
        policy: int,
        did: str,
        allowed_by: Iterable[str],
    ) -> None:
        if waterfall is None or any(step in waterfall for step in allowed_by):
            return
        what = "a liquidation" if decision is None else f"liquidation {decision.liquidation}"
        self.report(
            NOT_IN_POLICY,
            f"{did} in {what}{'' if account is None else f' of {account}'}; the policy in force lists "
            f"{', '.join(waterfall) or 'no steps'}",
            account=account,
            sequence=sequence,
            evidence=(sequence, policy, *(() if decision is None else (decision.judgement.sequence,))),
            recorded=" or ".join(allowed_by),
            rebuilt=", ".join(waterfall),
        )
