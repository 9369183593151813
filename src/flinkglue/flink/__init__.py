"""Apache Flink over the REST API of its JobManager.

Read first `models` and `api.lifecycle_rest` (each call by its name), then `backend` (the eleven
actions).

- `api`: the wire, the calls, and what Flink's errors mean
- `jars`: where job jars come from, how scripts and Python programs are packed, what is uploaded
- `launch`: running a jar, a script or a Python program exactly once
- `state`: savepoints and checkpoints, and the storage that they lie in
"""
