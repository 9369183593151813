"""State of jobs: `savepoints` triggers and finds them, `directories` and `storage` look where
they lie, `s3_files` reads S3."""
