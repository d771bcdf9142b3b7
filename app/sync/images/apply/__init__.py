"""Making one region follow its plan: ordered, resumable, cancellable; one outcome per item."""
