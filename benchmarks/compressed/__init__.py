"""What pruning, a teacher, int8 and all of them together cost or bring, on four real data sets, with equal effort."""
