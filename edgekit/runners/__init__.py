"""Where a measurement runs, one place per file."""
