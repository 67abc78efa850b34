"""Sessions of other runtimes: the same face, their code. A runtime is imported when its first artifact is opened."""
