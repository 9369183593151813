"""What the clients of Flink and ARM share: tokens, guarded calls, and what becomes of a fault."""
