"""What the command line can do with a model bundle, without the repository."""
