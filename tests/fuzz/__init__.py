"""Damaged inputs, and whether every parser answers: `python -m tests.fuzz`."""
