"""Evidence bundles: a folder that proves its own consistency offline (docs/spec/bundle.md)."""
