"""The lifecycle of a Flink job: eleven actions with one meaning on every backend."""
