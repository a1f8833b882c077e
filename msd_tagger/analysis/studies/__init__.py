"""The studies of the paper, one module each: `study(record) -> Study`."""
