"""What a firmware build consumes: the model, its manifest, a golden pair, C sources."""
