"""Figures: measurements with their fidelity, ratios of times, confidence intervals."""
