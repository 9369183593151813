"""What the flows share that needs Prefect; no other part of the library imports it.

- `store`: records on the Prefect server: the journal, locks, reservations, original orders
- `pages`: artifacts and events, what a person sees of a flow run
- `hooks`: what happens to the external job when its flow run is cancelled or crashes
- `worker`: the worker type `thread`, whose flow runs are threads of one process

`retries` says which failures of a task are worth another try, `run_log` cleans what is logged, and
`best_effort` keeps a page that cannot be written from failing a job.
"""
