"""Signed, closed repositories, published at once or not at all."""
