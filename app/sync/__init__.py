"""Making regions equal to the master: snapshot, plan, apply, report."""
