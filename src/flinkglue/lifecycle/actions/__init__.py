"""The actions themselves, one module for each kind.

Read first `perform` (the dispatch), then `launch` (how a job is started once), `update` (stop,
start, verify, roll back), `replacement` (what is decided before that) and `rollback_target`."""
