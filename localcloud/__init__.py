"""An embedded cloud: real Flink, Azure and AWS on loopback, started without containers."""
