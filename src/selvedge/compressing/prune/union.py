"""Sets that are joined, element by element."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Union(Generic[T]):
    """Disjoint sets (Galler and Fischer 1964), with path halving."""

    def __init__(self) -> None:
        self.parent: dict[T, T] = {}

    def add(self, element: T) -> None:
        self.parent.setdefault(element, element)

    def root(self, element: T) -> T:
        """The one element that stands for the set; a new set where it is new."""
        self.add(element)
        while self.parent[element] != element:
            self.parent[element] = self.parent[self.parent[element]]
            element = self.parent[element]
        return element

    def join(self, a: T, b: T) -> None:
        self.parent[self.root(b)] = self.root(a)

    def sets(self) -> dict[T, list[T]]:
        """Root -> its elements, in the order in which they came."""
        found: dict[T, list[T]] = {}
        for element in self.parent:
            found.setdefault(self.root(element), []).append(element)
        return found
