"""Streams that would make a model worse, and some that should make it better: what each way of learning does with them."""
