"""The health of connections, and the sweep for runs that nobody waits for any more.

`health` judges and `health_report` shows it; `sweep` judges runs, `sweeping` finds and stops
them."""
