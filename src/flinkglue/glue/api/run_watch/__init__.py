"""Polls shared by threads: one GetJobRuns page serves all that wait for runs of a job.

A run that is waited for alone is polled with GetJobRun. As soon as several runs of a job are
waited for, whoever polls first reads the job's list, and what it shows serves the others:

- The first poll of a run is its own: the list may not show yet what was started just now.
- A reading serves each waiter once. So the list is read again only when a waiter has paused since
  the last reading, however many wait.
- A waiter's pause counts from the reading that served it, and ends at once when a later one shows
  that its run has changed.
- A reading that failed is shared as well: a service that throttles is not called again by all.
- Nobody waits for long while another reads: a few at a time read their run alone then, and the
  others go on with what is known.
- The more wait for runs of a job, the sooner its list is read again, up to as often as all of them
  together would call by themselves, and 40 pages a minute for all lists of an account. With more
  than five lists these are more: each rests for 8.5 s at the most (`flinkglue.glue.pacing`), as the
  next attempt after a failure waits for it, so ten lists of a page each are read 71 times a minute.
- While the end of one of its runs is likely, a list of up to 200 waiting runs hurries: it is read
  up to twice a second, the more runs the sooner. By that all lists together take up to 15 pages a
  minute more, or 90 at once after a quiet time, and none for a minute after AWS throttles.

Whoever has to know that the list shows a run has one of its polls made by reading the newest runs.

Pure: the calls are those of a RunReader. `waiter` has what is known of each wait, `reading` the
calls that serve several, `watch` who waits, how long they pause, and which call a poll makes.
"""

from flinkglue.glue.api.run_watch.waiter import READ_BESIDE_AT_ONCE, Waiter
from flinkglue.glue.api.run_watch.watch import RunWatch

__all__ = ["READ_BESIDE_AT_ONCE", "RunWatch", "Waiter"]
