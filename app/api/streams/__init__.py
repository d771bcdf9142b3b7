"""Live progress as server-sent events, at one thread a process (docs/adr/0003-event-streams.md)."""
