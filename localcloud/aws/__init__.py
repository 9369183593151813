"""The AWS side of the local cloud: moto for most services, a Glue of its own."""
