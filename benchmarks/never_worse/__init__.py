"""Streams that would make a model worse, or better, and what each way of learning makes of them."""
