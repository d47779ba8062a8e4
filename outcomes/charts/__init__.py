"""Figures as coordinates: drawn on the server as SVG, without scripts and inline style.

Plain Python. Beside every figure stands the table of its numbers.
"""
