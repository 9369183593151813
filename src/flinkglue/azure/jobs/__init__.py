"""Flink jobs as ARM shows and changes them.

Read first `rows` (a row of the jobs list) and `state` (ARM's and Flink's words together), then
`submission` and `waiting` (a plain submit), `backend`, `launch` and `actions` (the eleven
actions)."""
