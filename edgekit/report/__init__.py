"""Results to tables and JSON: pure functions."""
