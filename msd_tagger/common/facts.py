"""Facts that several floors need: splits, kinds of spectrogram and of labels."""

SPLITS = ("train", "valid", "test")
KINDS = ("mel", "stft")  # Of spectrograms.
LABELS = ("weak", "true")  # What listeners tagged, and what is audible.
CONVNET = "convnet"  # The network of the paper, in configurations.
