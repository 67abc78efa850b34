"""Our graphs as ATen operators: a module that torch.export reads, and so ``.pt2`` and ExecuTorch's ``.pte``."""
