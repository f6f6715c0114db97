"""The venue's side of evidence: its keys, signed heads, published tiles, and what others add to them."""
