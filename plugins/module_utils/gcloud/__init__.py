"""Reconciles Google Cloud resources with what a user asked for: read, plan, apply, and nothing kept in between."""
