"""Checks the settings of the platform before any call is made. Pure functions; knows nothing of Google's APIs."""
