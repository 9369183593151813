"""The pages of all jobs: one artifact for Flink, one for Glue, made of a record per job."""
