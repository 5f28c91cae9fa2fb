"""The pinned programs, images and release files of the rehearsal, built once per machine into the cache."""
