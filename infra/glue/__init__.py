"""What the commands for Glue are made of: a sample job, its network and role, its policy.

Read `job.py` first. The commands themselves are `infra.glue_sample` and `infra.glue_deploy`.
"""
