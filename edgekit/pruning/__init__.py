"""Structured and unstructured pruning of PyTorch modules: channels, attention heads, single weights."""
