"""What is written down about jobs, and who may act on one.

Read first `journal` (entries, job records), then `claims` (one executor per job, by a lease) and
`claiming` (how it is taken), `ledger` (the one order of savepoints) and `documents` (the store that
both the Prefect server and files offer)."""
