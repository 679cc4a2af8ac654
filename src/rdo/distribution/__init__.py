"""Loads and checks the distribution's data; answers what is in a release on a platform."""
