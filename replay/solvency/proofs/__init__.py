"""What a proof of solvency is made of and how it is checked: pure, bytes and values in, verdict out.

From below: ``form`` (strict reading), ``sum_tree`` and ``leaves``; ``header``, which says what a tree is
about; ``liabilities`` (what goes into the leaves) and ``roots`` (state and subjects); ``commitment`` (the
event that binds them to the log); ``making``, from a state to all of it; and the three things that are given
away and checked: ``inclusion`` for a customer, ``published`` for everyone, ``records`` for an auditor.
"""
