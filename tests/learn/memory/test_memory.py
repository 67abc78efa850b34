"""Every policy with every codec: its bytes, its repeatability, its state; and what each policy alone promises."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.errors import InvalidInput
from selvedge.learn.draws import Draws
from selvedge.learn.memory.beside import STORED, logits
from selvedge.learn.memory.diverse import _distances, sketch
from selvedge.learn.memory.labels import Labels, bits_of
from selvedge.learn.memory.named import FACTORS, NAMES
from selvedge.learn.memory.policies import POLICIES
from selvedge.learn.memory.random import SplitMix64
from selvedge.learn.memory.raw import Raw
from selvedge.learn.memory.replay import Replay
from selvedge.learn.memory.reservoir import Reservoir

CODECS = [*NAMES, *(f"{factor}+{name}" for factor in FACTORS for name in NAMES)]
BESIDE = [None, *STORED]
EVERY = [
    (policy, name, BESIDE[i % len(BESIDE)]) for i, (policy, name) in enumerate(itertools.product(POLICIES, CODECS))
] + [(policy, "half+2bit", stored) for policy in POLICIES for stored in BESIDE]
SHAPE = (1, 6, 5)


def dtype_of(codec: str) -> str:
    return "float32" if "float16" in codec else "uint8"


def drawn(n: int, dtype: str, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).integers(0, 256, (n, *SHAPE))
    return x.astype(dtype) if dtype == "uint8" else (x / 64 - 2).astype(dtype)


def fed(replay: Replay, x: np.ndarray, y: np.ndarray) -> Replay:
    for sample, label in zip(x, y, strict=True):
        if replay.beside is None:
            replay.add(sample, int(label))
        else:
            replay.add(sample, int(label), np.full(replay.beside.shape, label, np.float32))
    return replay


def equal(one: Replay, two: Replay) -> bool:
    first, second = one.state_dict(), two.state_dict()
    return first.keys() == second.keys() and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("policy", "codec", "stored"), EVERY)
def test_every_policy_keeps_every_codecs_bytes_and_goes_on_from_its_state(
    policy: str, codec: str, stored: str | None
) -> None:
    dtype = dtype_of(codec)
    beside = None if stored is None else logits(5, stored)
    x, y = drawn(70, dtype), np.random.default_rng(1).integers(0, 5, 70)

    def made(seed: int, of: int = 900) -> Replay:
        return Replay(of, SHAPE, dtype, classes=5, seed=seed, codec=codec, policy=policy, beside=beside)

    whole, again, first = fed(made(3), x, y), fed(made(3), x, y), fed(made(3), x[:40], y[:40])
    size = whole.codec.size(SHAPE, np.dtype(dtype)) + (0 if beside is None else beside.bytes)
    assert whole.bytes == sum(array.nbytes for array in whole.state_dict().values()) == made(4).bytes
    policys = 20 if policy == "diverse" else 0
    assert 900 - (size + 1 + policys) < whole.bytes <= 900
    assert len(whole) == min(70, whole.capacity)
    assert equal(whole, again)
    resumed = made(9)
    resumed.load_state_dict(first.state_dict())
    assert equal(fed(resumed, x[40:], y[40:]), whole)
    n = len(whole) // 2
    mine, theirs = whole.recall(n), resumed.recall(n)
    assert np.array_equal(mine.x, theirs.x)
    assert (mine.x.shape, mine.x.dtype, mine.y.dtype) == ((n, *SHAPE), dtype, np.int32)
    if beside is None:
        assert mine.beside is None
    else:
        assert mine.beside is not None
        assert np.array_equal(mine.beside, np.repeat(mine.y[:, None], 5, 1)), "it stays with its sample"
    decoded = whole.codec.decode(whole.codec.encode(x), SHAPE, np.dtype(dtype))
    pairs = {(a.tobytes(), int(b)) for a, b in zip(decoded, y, strict=True)}
    assert all((a.tobytes(), int(b)) in pairs for a, b in zip(mine.x, mine.y, strict=True)), "a sample lost its label"
    with pytest.raises(InvalidInput, match="one sample needs") as refused:
        made(0, 1)
    smallest = int(re.findall(r"needs (\d+) B", str(refused.value))[0])
    assert (made(0, smallest).capacity, made(0, smallest).bytes) == (1, smallest)
    with pytest.raises(InvalidInput, match=f"capacity_bytes is {smallest - 1}: one sample needs {smallest} B"):
        made(0, smallest - 1)


@given(classes=st.integers(1, 256), data=st.data())
def test_labels_take_the_bits_they_need(classes: int, data: st.DataObject) -> None:
    bits = bits_of(classes)
    assert 1 << bits >= classes
    assert bits == 1 or 1 << bits // 2 < classes
    given = data.draw(st.lists(st.integers(0, classes - 1), max_size=20))
    kept = Labels(np.full(-(-len(given) * bits // 8), 0xFF, np.uint8), bits)
    for i in np.random.default_rng(0).permutation(len(given)):
        kept.write(int(i), given[i])
    assert kept.first(len(given)).tolist() == given


def test_thirty_two_kibibytes_of_digits() -> None:
    """A digit of 14 x 14 at two bits is 49 B and half a byte of label; beside them 12 B and 5 a class."""
    replay = Replay(32768, (1, 28, 28), classes=10, codec="half+2bit")
    assert (replay.capacity, replay.bytes) == ((32768 - 62) * 2 // 99, 62 + 660 * 49 + 330)
    with_logits = Replay(32768, (1, 28, 28), classes=10, codec="half+2bit", beside=logits(10, "int8"))
    assert with_logits.capacity == (32768 - 62) * 2 // (99 + 28)


def test_a_reservoir_is_a_uniform_sample_of_the_stream() -> None:
    """Of 60 samples, 12 are held: each in one of five of 600 runs, within 5 sigma; and no class is preferred."""
    kept = np.zeros(60)
    for seed in range(600):
        replay = Replay(12 + 4 + 2 * 12, (), np.uint8, classes=256, seed=seed, policy="reservoir")
        for i in range(60):
            replay.add(np.uint8(i), 255 if i else 0)
        kept[replay.sample(len(replay))[0]] += 1
    assert replay.capacity == 12
    assert np.abs(kept / 600 - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / 600)


@settings(max_examples=50, deadline=None)
@given(labels=st.lists(st.integers(0, 4), max_size=150).map(sorted), codec=st.sampled_from(["raw", "half+1bit"]))
def test_balanced_is_whole_or_within_one_of_the_largest_whatever_the_codec(labels: list[int], codec: str) -> None:
    replay = Replay(400, (2, 2), classes=5, codec=codec)
    fed(replay, np.zeros((len(labels), 2, 2), np.uint8), np.array(labels, int))
    seen = np.bincount(np.array(labels, int), minlength=5)
    assert np.all((replay.held == seen) | (replay.held >= replay.held.max() - 1))


def _clusters(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points about 20 centres; the k-th cluster has half as many as the one before, and at least two."""
    rng = np.random.default_rng(seed)
    which = rng.permutation(np.repeat(np.arange(20), [max(2, 300 >> k) for k in range(20)]))
    return (rng.uniform(0, 1, (20, 40))[which] + rng.normal(0, 0.01, (len(which), 40))).astype(np.float32), which


@pytest.mark.parametrize(("codec", "size"), [("raw", 160), ("int4", 24)])
def test_diverse_covers_more_clusters_than_a_reservoir(codec: str, size: int) -> None:
    covered = dict.fromkeys(("reservoir", "diverse"), 0)
    for seed in range(3):
        x, which = _clusters(seed)
        for policy, around, each in (("reservoir", 4, 0), ("diverse", 0, 20)):
            room = 12 + around + 30 * (size + 1 + each)
            replay = Replay(room, (40,), np.float32, classes=20, codec=codec, policy=policy, seed=seed)
            assert replay.capacity == 30, "at equal count"
            covered[policy] += int((fed(replay, x, which).held > 0).sum())
    assert covered["diverse"] == 3 * 20
    assert covered["reservoir"] < 3 * 15


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 99), spread=st.sampled_from([0, 1, 255]))
def test_diverse_never_lets_the_least_distance_fall_and_keeps_its_book(seed: int, spread: int) -> None:
    x = np.random.default_rng(seed).integers(0, spread + 1, (60, *SHAPE)).astype(np.uint8)
    replay = Replay(12 + 20 * 51, SHAPE, classes=3, policy="diverse", seed=seed)
    least = np.inf
    for i, sample in enumerate(x):
        full = len(replay) == replay.capacity
        replay.add(sample, i % 3)
        state, n = replay.state_dict(), len(replay)
        held = state["sketch"][:n]
        apart = np.stack([_distances(one, held) for one in held])
        assert np.array_equal(apart, apart.T)
        np.fill_diagonal(apart, np.inf)
        assert np.array_equal(state["nearest"][:n], apart.min(1)), "the book of nearest distances is wrong"
        assert np.array_equal(held, np.stack([sketch(s) for s in state["samples"][:n]]))
        assert not full or apart.min() >= least
        least = apart.min()


def test_a_sketch_keeps_distances() -> None:
    """Over random pictures the squared distance of sketches is, on average, that of the samples over their size."""
    x = np.random.default_rng(0).uniform(-1, 1, (400, 784)).astype(np.float32)
    made = np.stack([sketch(s) for s in x]).astype(np.float64)
    ratio = ((made[::2] - made[1::2]) ** 2).sum(1).mean() / (((x[::2] - x[1::2]) ** 2).sum(1).mean() / 784)
    assert 0.85 < ratio < 1.15
    assert np.all(np.isfinite(sketch(np.array([np.nan, np.inf, 1e30], np.float64))))


def test_the_generator_is_splitmix64() -> None:
    """The first words of seed 1234567, from the reference implementation's published vector."""
    words = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821]
    assert Draws(1234567).words(5).tolist() == words
    state = np.array([1234567], np.uint64)
    assert [SplitMix64(state).below(1 << 32) for _ in words] == [word >> 32 for word in words]


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"policy": "newest"}, "policy is newest: give one of reservoir, balanced, diverse"),
        ({"policy": None}, "policy is None: give one of reservoir, balanced, diverse"),
        ({"policy": Reservoir}, "Reservoir'>: give one of reservoir, balanced, diverse"),
        ({"codec": None}, "codec is None: give a codec, as Bits(4)"),
        ({"codec": Raw}, "Raw'>: give a codec, as Bits(4)"),
        ({"beside": "logits"}, "beside is logits: give what is kept with a sample, as logits(10)"),
        ({"codec": "3bit"}, "codec is 3bit: give one of raw"),
        ({"codec": "1bit", "dtype": np.complex64}, "dtype is dtype('complex64'): codec 1 bit takes floats"),
    ],
)
def test_what_cannot_be_is_one_line(settings_: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        Replay(4096, SHAPE, classes=5, **settings_)  # type: ignore[arg-type]


def test_logits_are_given_exactly_where_they_were_announced() -> None:
    with_, without = (Replay(4096, SHAPE, classes=5, beside=b) for b in (logits(5), None))
    x, three = np.zeros(SHAPE, np.uint8), np.zeros(3, np.float32)
    for replay, given_, message in (
        (with_, None, "beside is nothing: give float32[5]"),
        (with_, three, "beside is float32[3]: give float32[5]"),
        (with_, np.zeros(5), "beside is float64[5]: give float32[5]"),
        (without, three, "beside is given: announce it: beside="),
    ):
        before = replay.state_dict()
        with pytest.raises(InvalidInput, match=re.escape(message)):
            replay.add(x, 0, given_)
        assert all(np.array_equal(before[name], array) for name, array in replay.state_dict().items())
    with pytest.raises(InvalidInput, match="logits is int4: give one of float32, float16, int8"):
        logits(5, "int4")


def test_a_state_of_another_codec_of_as_many_bytes_is_refused() -> None:
    one, other = (Replay(4096, (1, 28, 28), classes=10, codec=codec) for codec in ("1bit", "half+int4"))
    assert one.bytes == other.bytes
    with pytest.raises(InvalidInput, match="replay state is of names"):
        one.load_state_dict(other.state_dict())


@pytest.mark.parametrize(
    ("policy", "name", "value"),
    [("reservoir", "seen", 3), ("diverse", "nearest", np.nan), ("diverse", "sketch", np.inf)],
)
def test_a_state_that_cannot_be_is_refused_and_changes_nothing(policy: str, name: str, value: float) -> None:
    replay = fed(Replay(4096, SHAPE, classes=5, policy=policy), drawn(20, "uint8"), np.arange(20) % 5)
    before = replay.state_dict()
    wrong = {key: array.copy() for key, array in before.items()}
    wrong[name][...] = value
    with pytest.raises(InvalidInput, match="replay state labels is of another replay"):
        replay.load_state_dict(wrong)
    assert all(np.array_equal(before[key], array) for key, array in replay.state_dict().items())
