"""Networks and augmentations of one's own, as docs/extending.md describes them."""
