"""Work that outlives the process that asked for it: the job table and who empties it.

The table is the only truth (docs/adr/0002-job-table.md). A dispatcher merely wakes a worker; a
worker that vanishes is noticed because it stops renewing its lease.
"""
