"""Making, entering and ending a world: one network, mount and process namespace in which every address is local."""
