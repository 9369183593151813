"""The job and its script as code.

Read first `deploy` (`deploy_job`), then `changes` (what differs, by field), `script_store`
(uploads by content hash) and `report`. The document itself is `flinkglue.glue.job_definition`.
"""
