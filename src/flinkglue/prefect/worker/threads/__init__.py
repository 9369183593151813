"""Flow runs as threads: how they begin, how they are ended, and what each has of its own."""
