"""Owns everything in a world that is real: control planes, nodes, machines and databases."""
