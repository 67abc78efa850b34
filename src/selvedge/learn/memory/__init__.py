"""What is kept of a stream: codec x policy x what stands beside a sample, in one array of bytes, allocated once."""
