"""The actions themselves, one module for each kind.

Read first `perform` (the dispatch), then `launch` (how a job is started once), `update` (stop,
start, verify, roll back) and `rollback_target`."""
