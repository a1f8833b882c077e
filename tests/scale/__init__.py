"""A rehearsal of preparing many clips by many jobs: `python -m tests.scale`."""
