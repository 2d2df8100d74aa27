"""Load a model file and run it, one runtime a file."""
