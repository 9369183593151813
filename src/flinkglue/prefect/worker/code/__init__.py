"""The code of deployments: loaded once, and again when it has changed."""
