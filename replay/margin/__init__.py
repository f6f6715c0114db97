"""Margin formulas: pure functions over exact decimals, usable on their own."""
