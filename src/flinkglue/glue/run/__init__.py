"""One run: found or started, waited for, classified, finished, stopped.

Read first `job_run` (`run_job`), then `start` (what is written before StartJobRun, and how a
start in doubt is settled), `wait`, `stop`, `connection_order` (putting the job's list back),
`logs` and `report`."""
