"""The outside of the sealed world: DNS, the Git host, image registries, release hosts and the Debian mirror."""
