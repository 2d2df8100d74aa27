"""Latency predicted from instruction counts, and how a board is calibrated."""
