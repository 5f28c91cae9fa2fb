"""Modules on the controller, run by a process that has imported everything they need."""
