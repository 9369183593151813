"""How often runs are polled, by how long earlier runs of their jobs took.

`durations` has what is known of each job, `expected_end` what follows from it, `run_pace` the
pauses between the polls of one run, `budget` how many polls more all runs of a process may take
than they would without any of it."""
