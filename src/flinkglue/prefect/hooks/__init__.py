"""What happens to the external job when its flow run is cancelled or crashes.

`flink_action` serves the eleven actions, `submitted_job` jobs that flink-job-submit sent to ARM.
Prefect may run a hook in the flow's process and again in the worker's: each may be repeated.
"""
