"""Whether a job is healthy, judged by several observations.

`judgement` and `finding` are pure; `watch` says what a watch may do, `history` keeps what was
observed for the next time.
"""
