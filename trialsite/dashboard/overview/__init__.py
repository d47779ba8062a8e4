"""The study at a glance: counts that open to their rows, curves with their tables."""
