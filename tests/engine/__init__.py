"""A test-only app above `visits`: everything later issues lean on, without a change below."""
