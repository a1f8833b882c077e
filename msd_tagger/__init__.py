"""The music-tagging ConvNet: network, training, evaluation and analysis, in JAX."""
