"""RFC 3161 timestamps over bytes: what an authority outside says existed at a time.

The bytes are the caller's (a signed checkpoint); nothing here knows what they mean. What a
token shows, and which of its bytes are authenticated, is in docs/explanation/timestamps.md.
"""

from ledger.timestamp.exchange import check_reply, make_request, request_over_http
from ledger.timestamp.roots import load_roots
from ledger.timestamp.token import Timestamp, parse_token
from ledger.timestamp.verification import check_imprint, verify_token

__all__ = [
    "Timestamp",
    "check_imprint",
    "check_reply",
    "load_roots",
    "make_request",
    "parse_token",
    "request_over_http",
    "verify_token",
]
