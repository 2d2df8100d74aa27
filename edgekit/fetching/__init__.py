"""What is fetched from package indices: pinned by digest, and checked again before it is used."""
