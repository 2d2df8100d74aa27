"""One file a command: parse, one library call, print, exit code. No logic."""
