"""The report of a run: what took how long, what changed, what exists. Pure functions of what the run noted."""
