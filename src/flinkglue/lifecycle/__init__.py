"""The eleven actions of a Flink job, over any protocol and any store.

Read first `models` (jobs, savepoints, outcomes), `backend` (what a cluster must offer), then
`execute` (from a request to its outcome) and `transaction` (what an action writes down
before it acts).

- `request`: what a form or a command requests, and how it is to be executed
- `actions`: NEW, START, STOP, UPDATE and the rest, and the launch that they share
- `state`: from which state a job starts, and what must never be skipped or disposed of
- `journal`: what is written down, who owns a job, the ledger of savepoints
- `health`: whether a job is well, from several observations
- `interrupted`: what happens when the run that acts is cancelled

Imports go from the later to the earlier: models, backend, journal, request, transaction, state,
actions, execute."""
