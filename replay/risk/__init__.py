"""Risk estimates: from recorded prices to a maintenance rate, its test, and who breaches when.

Estimates say what a requirement should have been; they decide nothing about an account, whose state
is always that of :mod:`replay.margin`. The statistics, and with them numpy and scipy, stay inside
:mod:`replay.risk.statistics`. Formulas and sources are in docs/explanation/dynamic-margin.md.
"""
