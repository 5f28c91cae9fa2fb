"""The front door: what its parts decide, and a visitor who knocks at it."""
