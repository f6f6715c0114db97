"""Verification: of a ledger in its database, and of a log's tiles in a folder."""

from ledger.verify.database import VerifyReport, verify_connection, verify_database, verify_ledger

__all__ = ["VerifyReport", "verify_connection", "verify_database", "verify_ledger"]
