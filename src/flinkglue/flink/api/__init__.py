"""Flink's REST API: `wire` sends and separates Flink's own answers from a gateway's, `rest` and
`lifecycle_rest` name the calls, `failures` reads Flink's errors.
"""
