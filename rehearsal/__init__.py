"""The sealed world: a local stand-in for the internet and Google Cloud in which the playbooks run unchanged."""
