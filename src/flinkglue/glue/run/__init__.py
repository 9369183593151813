"""One run: found or started, waited for, classified, finished, stopped.

Read first `job_run` (`run_job`), then `observer` (what acts on a run's life: `run_claim`,
`connection_order`, which puts the job's list back, `logs`, pages and events), `start` (what is
written before StartJobRun, and how a start in doubt is settled), `run_search`, `wait`, `outcome`
(how a run ended, as an attempt), `stop` and `report`."""
