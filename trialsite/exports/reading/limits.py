"""How much is read at most. A hospital's yearly export stays far below."""

from __future__ import annotations

MOST_BYTES = 20 * 1024 * 1024
MOST_ROWS = 200_000
MOST_COLUMNS = 500
LONGEST_CELL = 10_000

#: Of a workbook, which is a compressed archive: what it may unpack to.
MOST_ENTRIES = 500
MOST_UNPACKED = 300 * 1024 * 1024
MOST_RATIO = 250
#: Cells of a sheet between its first and its last, the empty ones too.
MOST_CELLS = 6_000_000
#: What the process that opens a workbook may use.
CHILD_SECONDS = 60
CHILD_BYTES = 1536 * 1024 * 1024
#: What it may write, and how long it may take on a machine that does other things too.
CHILD_WRITES = 1024 * 1024 * 1024
CHILD_PATIENCE = 3 * CHILD_SECONDS
