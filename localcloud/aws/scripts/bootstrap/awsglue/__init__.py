"""The part of awsglue that does without Spark."""
