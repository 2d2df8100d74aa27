"""What a step is: its contract, the technique that it applies, the artifact that it reads and writes, the registry."""
