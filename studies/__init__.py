"""Statistics, figures and reports, from run records and label files alone."""
