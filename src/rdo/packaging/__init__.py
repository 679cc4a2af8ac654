"""From metadata and a small description to a spec and an SRPM."""
