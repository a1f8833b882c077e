"""From audio files to batches of spectrograms. Never imports JAX."""
