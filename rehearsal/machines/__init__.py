"""The world's virtual machines: real Debian systems, built once into the cache and started from it."""
