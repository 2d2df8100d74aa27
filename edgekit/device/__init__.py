"""The programs that are pushed to a device: each is one file, and imports nothing of edgekit."""
