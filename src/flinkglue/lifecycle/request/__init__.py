"""What is requested of a Flink job, by a form or a command: made and checked once, here.

Read first `action` (ActionRequest), then `changes` (JobChanges: what is to run) and `options` (how
the action is executed)."""
