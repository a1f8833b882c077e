"""Work around the code that users seldom need: `python -m scripts.<name>`."""
