"""Measurements of Jobpass beside what one would use instead: ``python -m benchmarks [name…]``."""
