"""A page to try a bundle on. It needs the packages of the extra `serve`."""
