"""What runs of many processes share, and the order in which they use it.

`protocols` names all of it as one value, `Coordination`, and `run_context` has what every step of
a run gets; `in_memory` serves one process, and `flinkglue.prefect.store` many. Read first
`claims` (what stands for a run until Glue lists it: its addresses, and what is written before
StartJobRun), `lock` and `slots` (MaxConcurrentRuns); docs/explanation/glue-selection.md says why
no address is reserved twice and no run started twice."""
