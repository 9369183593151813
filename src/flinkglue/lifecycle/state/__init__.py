"""From which state a job is started, and what is kept.

`retained` finds the newest state, `known` says whether there is any and what was taken with
Flink's own tools, `named` checks what a person names, `sent_launch` looks after launches whose
process died, `taken` enters savepoints into the ledger, and `retention` chooses those that may be
disposed of."""
