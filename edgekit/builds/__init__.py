"""A build: run the plan's steps, verify the result on the target, and bundle it."""
