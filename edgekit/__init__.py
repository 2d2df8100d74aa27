"""edgekit: from a PyTorch model to what a device's firmware build embeds."""

__version__ = "0.1.0"
