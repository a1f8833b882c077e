"""What users of the code seldom need, such as `python -m scripts.write_tags`."""
