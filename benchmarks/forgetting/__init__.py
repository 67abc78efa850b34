"""Class-incremental digits: five tasks of two classes, one pass, one head, and a replay of so many bytes."""
