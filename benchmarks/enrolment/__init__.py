"""A class from five examples, on a device that knows others: how often, how well, and what it costs them."""
