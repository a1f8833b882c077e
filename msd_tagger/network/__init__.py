"""The ConvNet, and what happens to spectrograms on the device."""
