"""A build: the plan's steps run, the result verified on the target, and packed."""
