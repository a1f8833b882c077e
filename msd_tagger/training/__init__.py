"""Training: steps, seeds and devices, the loop, and what a run leaves."""
