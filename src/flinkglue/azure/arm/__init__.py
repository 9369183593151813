"""The client of Azure Resource Manager. One file, `client`, knows its URLs.

`answers` reads what comes back, `run_job` is the body of runJob, `timeouts` its time-outs.
"""
