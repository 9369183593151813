"""What runs of many processes share, and the order in which they use it.

`run_context` names all of it as one value, over `flinkglue.records`: of one process, or on the
Prefect server (`flinkglue.prefect.store`); and has what every step of a run gets. Read first
`claims` (what stands for a run until Glue lists it: its addresses, and what is written before
StartJobRun), `lock` and `slots` (MaxConcurrentRuns); docs/contributing/glue-coordination.md says
why no address is reserved twice and no run started twice."""
