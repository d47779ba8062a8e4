"""What outcomes keep: adverse events and deaths."""
