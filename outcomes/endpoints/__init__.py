"""The study's endpoints as arithmetic: courses in, estimates out. Plain Python, no Django.

Everything is exact fractions or decimals of `numbers.DIGITS` digits; no binary float takes
part. What a number means is named by `definitions.VERSION` and `docs/adr/0010-endpoints.md`.
"""
