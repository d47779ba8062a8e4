"""Reading files that others have made: bytes in, rows with their addresses out.

Nothing is guessed silently and nothing is run: what a file is, is told by its content; how
its text was decoded is said; a file that is too large, damaged or more than a table is
refused in the reader's language. Imports and feasibility stand on this; nothing here
touches the database.
"""
