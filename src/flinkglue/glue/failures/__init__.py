"""What a failed run or call means: fail over, wait or stop. Pure.

`table` is the ordered table of Glue's messages, `rule` one row of it, `own_rules` a person's rows
before it; `classification` applies both, and `blame` says which connections the failure speaks
against. To teach it a new message, add a row to `table` and its sample to the tests."""
