"""Results that come as a file: read by a mapping, compared, looked at, then taken or not.

The file's rows go through the same names, units and verdicts as pasted and typed results
(trust DI9), and into the casebook through the same service.
"""
