"""Trained networks as folders that can be passed on."""
