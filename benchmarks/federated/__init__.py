"""Many devices learn one model: what that is worth, and how few bytes of it are enough."""
