"""Real Flink clusters: the JVMs of the distribution, without containers."""
