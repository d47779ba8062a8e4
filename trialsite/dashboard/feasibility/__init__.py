"""A hospital's spreadsheet through the study's own engines, and nothing kept of it.

A mapping file says what the columns mean; rows become the facts that eligibility is judged
from, and the times that endpoints are estimated from. No code for a new file.
"""
