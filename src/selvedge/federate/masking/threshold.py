"""How many members of a group it takes to unmask it, and how often fewer are left."""

from __future__ import annotations

from math import comb


def majority(members: int) -> int:
    """floor(n / 2) + 1: a server cannot have two halves unmask two sums, as long as no member helps it."""
    return members // 2 + 1


def two_thirds(members: int) -> int:
    """ceil(2 n / 3): nor where fewer than a third of the members help it."""
    return -(-2 * members // 3)


def withstood(members: int, threshold: int) -> int:
    """Helpers of a server that lies, at the most, by whom it does not unmask two sums of one round: two sets of
    survivors share more members than these, and an honest one signs one set."""
    return 2 * threshold - members - 1


def failure_rate(members: int, threshold: int, loss: float) -> float:
    """How often fewer than ``threshold`` of ``members`` are left where each is lost with the chance ``loss`` at some
    time of the round: a binomial's lower tail."""
    return sum(comb(members, k) * (1 - loss) ** k * loss ** (members - k) for k in range(threshold))


def table(members: tuple[int, ...] = (64, 128, 256, 512), losses: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4)) -> str:
    """For people: how often a group fails, by its size, its threshold and the loss."""
    lines = ["members  threshold  " + "".join(f"{f'{loss:.0%} lost':>11}" for loss in losses)]
    for n in members:
        for threshold in (majority(n), two_thirds(n)):
            rates = "".join(f"{failure_rate(n, threshold, loss):>11.1e}" for loss in losses)
            lines.append(f"{n:>7}  {threshold:>9}  {rates}")
    return "\n".join(lines)
