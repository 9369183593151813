"""What runs of many processes share, and the order in which they use it.

`protocols` names all of it as one value, `Coordination`, and `run_context` has what every step of
a run gets; `in_memory` serves one process, and `flinkglue.prefect.store` many. Read first
`reservations` (addresses promised to a run), `lock`, `start_marks` (written before StartJobRun) and
`slots` (MaxConcurrentRuns); docs/glue-selection.md says why no address is promised twice."""
