"""What int8 operators mean, in numpy: bit by bit what LiteRT's reference kernels (``BUILTIN_REF``) compute.

Every function takes integer arrays and the integers that :mod:`.requantise` made of the scales: no scale is left when
one runs. Where the C++ of the reference would overflow a signed integer, which is undefined there, the sum here is
exact and saturates. Named sources are those of github.com/google-ai-edge/LiteRT below ``tflite/kernels``.
"""
