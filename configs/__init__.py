"""Experiments: `default.py` has every key, the others override."""
