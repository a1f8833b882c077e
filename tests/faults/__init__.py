"""Faults on purpose, and whether runs survive them: `python -m tests.faults`."""
