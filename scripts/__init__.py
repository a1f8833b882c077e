"""What users of the code seldom need, such as `python -m scripts.simulate_scale`."""
