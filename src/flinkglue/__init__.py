"""The library: Flink and Glue jobs without Prefect.

docs/contributing/architecture.md shows the floors.
"""
