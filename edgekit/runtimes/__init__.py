"""Load and run model files on this machine."""
