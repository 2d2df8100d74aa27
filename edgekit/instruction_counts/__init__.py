"""Instructions, cache misses and write-backs of a run under emulation, counted by a qemu plugin."""
