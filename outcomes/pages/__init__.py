"""What the pages of outcomes show: figures, tables and their words, made of what was computed."""
