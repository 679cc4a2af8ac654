"""Benchmarks: how long the factory's parts take, against the plain tools they stand for. See README.md."""
