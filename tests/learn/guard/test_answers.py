"""What the judges of an anchor have said is paid for: over a life, and against candidates that are made of it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from selvedge.errors import InvalidInput
from selvedge.learn.guard.anchor import Anchor, lost
from selvedge.learn.guard.answers import ANSWERS, Answer, Answers
from selvedge.learn.guard.judge import Judge
from selvedge.learn.guard.spending import spent

ERROR = 0.05


def allowed(error: float, runs: int) -> float:
    """What an ``error`` may come to in so many runs by chance: three standard deviations above it."""
    return error + 3 * math.sqrt(error * (1 - error) / runs)


def said(n: int, minus: int, nats: float, margin: float) -> Answer:
    """What ``n`` judges say of whom so many are lost, and none gained."""
    upper = lost(np.repeat([-1.0, 0.0], [minus, n - minus]), nats).upper
    return "refused" if upper > margin else "roomy" if upper <= margin / 2 else "passed"


def most(n: int, nats: float, margin: float) -> int:
    """How many of them may be lost; -1: not even none."""
    return next(minus for minus in range(n) if said(n, minus, nats, margin) == "refused") - 1


@pytest.mark.parametrize(("n", "margin"), [(625, 0.01), (120, 0.11), (2500, 0.01)])
def test_in_lives_of_harmful_candidates_none_passes_more_often_than_the_error_says(n: int, margin: float) -> None:
    """20,000 lives of 80 looks at candidates that lose a hair more than the margin, each another part of the samples.
    An approximation by the normal distribution lets one of them pass in every fourth life of 625 judges and later."""
    runs, looks, answers, may = 20000, 80, Answers(ERROR, first=n > 256), []
    for _ in range(looks):
        may.append(most(n, answers.nats, margin))
        answers.say("refused")
    lives = np.random.default_rng(12).binomial(n, margin * 1.001, (runs, looks))
    assert (lives <= may).any(1).mean() <= allowed(ERROR, runs)
    assert max(may) >= 0, "nothing could pass"


def test_of_a_later_look_alone_the_error_is_kept_too() -> None:
    """Behind thirty looks at what loses nothing, as a useless candidate does; and there something still could pass."""
    runs, n, margin = 200000, 2500, 0.02
    answers = Answers(ERROR, first=True)
    for _ in range(30):
        answers.say(said(n, 0, answers.nats, margin))
    may = most(n, answers.nats, margin)
    assert may > 0
    wrong = np.random.default_rng(13).binomial(n, margin * 1.001, runs) <= may
    assert wrong.mean() <= allowed(spent(ERROR, 31), runs)


JUDGES, MARGIN, TWEAKS = 1000, 0.1, 80


def fitted(seed: int) -> bool:
    """Whether a candidate is committed that loses more than the margin, and was fitted to the judges by their answers.

    One half of the samples is divided among tweaks, each of which turns all its own round: what was right is wrong.
    That loses nothing on the mean, the start being right of half; but of the judges each loses or gains a few. Each is
    asked about beside a loss on the other half that is led to where a little decides; those that passed are kept, all
    of them together.
    """
    rng = np.random.default_rng([14, seed])
    start = (rng.random(JUDGES) < 0.5).astype(np.float64)
    place, tweak = rng.random(JUDGES), np.where(rng.random(JUDGES) < 0.5, rng.integers(0, TWEAKS, JUDGES), -1)
    judge = Judge("CrossEntropy", Anchor(np.zeros((JUDGES, 1)), margin=MARGIN, judging=JUDGES), start, 0.2, ERROR, 256)

    def refused(loss: float, turned: np.ndarray) -> str:
        merits = np.where(np.isin(tweak, turned), 1 - start, start)
        return judge.lost_at_the_start(np.where((tweak < 0) & (place < 4 * loss), 0.0, merits))

    loss, step, kept = 0.04, 0.01, []
    for number in range(TWEAKS):
        if refused(loss, np.array([number])):
            loss = max(0.0, loss - step)
        else:
            loss += step
            kept.append(number)
        step = max(0.8 * step, 0.001)
    return not refused(1.02 * MARGIN, np.array(kept))


def test_a_candidate_that_was_fitted_to_the_judges_by_their_answers_is_not_committed() -> None:
    """The k-th look at the same samples is no look at fresh ones: to spend 6 / (pi k)^2 of the error is not enough."""
    runs = 60
    assert np.mean([fitted(seed) for seed in range(runs)]) <= allowed(ERROR, runs)


@pytest.mark.parametrize("first", [True, False])
def test_all_histories_of_a_length_have_no_more_than_the_error_of_their_look(first: bool) -> None:
    kinds = ANSWERS if first else ANSWERS[1:]
    for length in range(5):
        total = 0.0
        for history in itertools.product(kinds, repeat=length):
            answers = Answers(ERROR, first)
            for answer in history:
                answers.say(answer)
            total += math.exp(-answers.nats)
        assert total == pytest.approx(spent(ERROR, length + 1), rel=1e-9)


def test_what_is_said_again_and_again_tells_little_and_what_changes_tells_more() -> None:
    same, mixed = Answers(ERROR, True), Answers(ERROR, True)
    for i in range(40):
        same.say("refused")
        mixed.say(ANSWERS[i % 4])
    assert same.nats < mixed.nats - 30
    assert same.looks == mixed.looks == 40


def test_numbers_that_the_judges_chose_are_spent_no_more_than_there_is() -> None:
    def left(number: int) -> float:
        answers = Answers(ERROR, True)
        answers.tell(number)
        return math.exp(-answers.nats)

    assert sum(left(number) for number in range(10000)) == pytest.approx(spent(ERROR, 1), rel=1e-3)


def test_a_state_goes_on_and_anothers_is_refused() -> None:
    one, other = Answers(ERROR, True), Answers(ERROR, True)
    one.say("passed")
    one.tell(7)
    other.load_state_dict(one.state_dict())
    assert (other.nats, other.looks) == (one.nats, 1)
    kept = one.state_dict()
    for odd in (
        {},
        {"answers": kept["answers"]},
        {**kept, "told": np.array([np.nan])},
        {**kept, "answers": np.zeros(4)},
    ):
        with pytest.raises(InvalidInput):
            one.load_state_dict(odd)
    assert one.nats == other.nats
    assert one.bytes == sum(a.nbytes for a in kept.values())
