"""What state the surroundings are in: database, tables, guards, roles, clocks, ledger."""

from ledger.doctor.examination import Examination, examine

__all__ = ["Examination", "examine"]
