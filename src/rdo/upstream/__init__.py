"""Upstream's sources, fetched by hash and verified, and the metadata read from them."""
