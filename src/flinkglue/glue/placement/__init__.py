"""Which connection a run gets.

Read first `placement_request` (what a person requests), then `selection` (`select`, from the names
to a `Ranking`), `readings` and `addresses` (what it goes by), `demand` (how many addresses a run
takes), `strategies` (pure functions that order), `ranking` and `shortage` (what happens when
nothing fits). `decision` shows it to people."""
