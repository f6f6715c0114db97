"""The checks, one file each; :mod:`replay.audit.registry` lists them."""
