"""Using a trained network: tags and features of audio files, and the server."""
