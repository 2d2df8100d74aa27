"""`edgekit bench`: what is timed, counted and compared, and in which environment."""
