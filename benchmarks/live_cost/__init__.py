"""What holding a learner costs beside the session's step, in C and in Python, in one process, interleaved."""
