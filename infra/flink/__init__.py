"""The parts of the command line for Flink actions: arguments, and the deployment it triggers.

The command itself is `infra.flink_action`.
"""
