"""Numerics: two models compared, tolerances, layer-wise SQNR, lost quantization levels, lost clipping."""
