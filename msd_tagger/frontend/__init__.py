"""What a network hears: audio files to spectrograms. No JAX here."""
