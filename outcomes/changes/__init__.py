"""Change from baseline and trends as plain arithmetic: no tables, no clock, no language."""
