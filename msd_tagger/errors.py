"""Errors that a user should read without a traceback, free of JAX."""


class MiscompilationError(RuntimeError):
    """The compiler computes something else than it was asked to."""
