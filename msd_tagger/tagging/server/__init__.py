"""A page to try a bundle on. It needs the packages of requirements-serve.txt."""
