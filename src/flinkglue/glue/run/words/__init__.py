"""How Glue runs ended (`summary`), and what a page says of others (`live_page`)."""
