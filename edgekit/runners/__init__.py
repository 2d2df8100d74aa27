"""Where a measurement runs, one place a file."""
