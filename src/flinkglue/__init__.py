"""Run Apache Flink and AWS Glue jobs: clients, ordering, failure tables. Imports no Prefect."""
