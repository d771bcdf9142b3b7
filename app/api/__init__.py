"""REST: parse, call a part, serialise. One module per resource; no logic, no SQL (docs/api.md)."""
