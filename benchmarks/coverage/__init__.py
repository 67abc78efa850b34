"""Which of ``torch.nn`` and ``torch.nn.functional`` can be trained, held against autograd over their argument space."""
