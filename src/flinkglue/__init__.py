"""The library: Flink and Glue jobs without Prefect. docs/architecture.md shows the floors."""
