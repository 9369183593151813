"""Whether a job is well, judged by several observations.

`judgement` is pure; `watch` observes, `history` keeps what was observed for the next time.
"""
