"""Records on the Prefect server, as Variables that are written by compare-and-set.

Read first `server_records` (create, read, swap, page), then `variable_journal` (the journal of
Flink jobs), `glue_coordination` (all that Glue runs share) and `action_owners` (who acts on a job,
and whether that process lives).
"""
