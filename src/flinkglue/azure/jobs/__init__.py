"""Flink jobs as ARM shows and changes them.

Read first `rows` (a row of the jobs list) and `submission` (each request is sent once), then
`state` and `waiting` (how far a submitted job is), `backend`, `launch` and `actions` (the eleven
actions)."""
