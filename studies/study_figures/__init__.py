"""The figures of the studies: plain arrays in, a figure out."""
