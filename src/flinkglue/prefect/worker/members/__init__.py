"""The workers of a pool: which of them live, and what happens to the flow runs of dead ones."""
