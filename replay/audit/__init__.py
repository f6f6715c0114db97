"""The audit: findings from one fold over the events; it knows nothing of the engine that made decisions."""

from replay.audit.check import Check, FindingKind, NotChecked
from replay.audit.liquidation import AuditedLiquidation, ClosedPosition
from replay.audit.place import Place
from replay.audit.registry import CHECKS, select_checks
from replay.audit.report import AUDIT_SCHEMA, AuditReport
from replay.audit.run import audit

__all__ = [
    "AUDIT_SCHEMA",
    "CHECKS",
    "AuditReport",
    "AuditedLiquidation",
    "Check",
    "ClosedPosition",
    "FindingKind",
    "NotChecked",
    "Place",
    "audit",
    "select_checks",
]
