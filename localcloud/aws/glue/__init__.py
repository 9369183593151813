"""AWS Glue jobs, connections and runs that behave as the service does."""
