"""The statistics: Decimals go in, float64 arrays do the work, Decimals come out by a named rounding.

What is computed here is an estimate, with an error far greater than that of binary floats; money and
decisions about accounts never pass through it. No other module of ``replay`` uses floats, numpy or scipy.
"""
