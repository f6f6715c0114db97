"""The event catalogue: payloads by family, the registry of types, and the event around a payload."""
