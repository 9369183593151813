"""What happens to the external job when its flow run is cancelled or crashes.

`flink_action` serves the eleven actions, `submitted_job` jobs that flink-job-submit sent to ARM,
`glue_run` Glue runs; `settling` is what they share.
"""
