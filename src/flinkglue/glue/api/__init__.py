"""How the calls of Glue, EC2 and CloudWatch Logs are made, and their answers read.

`flinkglue.glue.client.GlueClient` is the one door to it; nothing else sends a call. Read first
`boto3_clients` (time-outs and retries), then `connection_reading` (a subnet's free count is read
there), `job_update` (what UpdateJob gets), `run_listing`, `run_watch` (polls that waiting threads
share), `log_places` and `log_reading`."""
