"""Typed plans applied to hosts over SSH, and the test hosts to try them on."""
