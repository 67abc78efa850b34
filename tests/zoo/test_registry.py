"""From NAME[?key=value&...] to a module: what is built, and what is refused, in one line."""

from __future__ import annotations

import pytest
import torch

from selvedge import zoo
from selvedge.errors import InvalidInput


def test_the_names_are_those_of_the_zoo() -> None:
    lite = tuple(f"efficientnet_lite{size}" for size in range(5))
    shufflenet = tuple(f"shufflenet_v2_x{size}" for size in ("0_5", "1_0", "1_5", "2_0"))
    assert zoo.names() == (
        "audio_m5", "char_gru", "deep_autoencoder", "ds_cnn", "efficientnet_b0", *lite, "har_fcn", "keyword_gru",
        "keyword_lstm", "mbv2_w035", "mcunet_5fps", "mobilenet_v1", "mobilenet_v1_025", "mobilenet_v2",
        "mobilenet_v3_large", "mobilenet_v3_small", "proxyless_w03", "resnet18", "resnet8", *shufflenet, "text_cnn",
    )  # fmt: skip


@pytest.mark.parametrize("name", zoo.names())
def test_a_row_says_what_it_builds(name: str) -> None:
    row = zoo.entry(name)
    assert row.name == name
    assert row.loss == ("reconstruction" if name == "deep_autoencoder" else "cross_entropy")
    assert row.source.startswith("arXiv:")
    assert set(row.defaults) == set(row.options)
    module, example, loss = zoo.make(name)
    assert module.training
    assert example.shape == (1, *row.input_shape)
    assert example.dtype == (torch.int32 if row.tokens else torch.float32)
    assert loss == row.loss


def test_options_reach_the_model_and_its_example() -> None:
    module, example, loss = zoo.make("mobilenet_v2?width=0.35&resolution=96&classes=7")
    assert example.shape == (1, 3, 96, 96)
    assert loss == "cross_entropy"
    assert module.state_dict()["features.0.0.weight"].shape == (16, 3, 3, 3)
    assert module.eval()(example).shape == (1, 7)


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        ("har_fcn?channels=3&length=50", (1, 3, 50)),
        ("audio_m5?length=16000", (1, 1, 16000)),
        ("keyword_gru?length=49", (1, 49, 10)),
        ("efficientnet_lite4", (1, 3, 300, 300)),
        ("mcunet_5fps?resolution=96", (1, 3, 96, 96)),
    ],
)
def test_an_example_has_the_shape_that_options_say_and_the_model_takes_it(spec: str, shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        module, example, _ = zoo.make(spec)
    assert example.shape == shape
    assert module(example).shape == (1, zoo.entry(spec.partition("?")[0]).classes)


def test_the_shortest_sound_and_the_shortest_text_are_taken() -> None:
    for spec in ("audio_m5?length=6848", "text_cnn?length=5"):
        module, example, _ = zoo.make(spec)
        assert torch.isfinite(module.eval()(example)).all()
    with pytest.raises(InvalidInput, match="from 6848"):
        zoo.make("audio_m5?length=6847")


def test_a_seed_gives_the_same_model_and_example_again() -> None:
    first, again, other = (zoo.make("ds_cnn", seed=seed) for seed in (3, 3, 4))
    assert all(torch.equal(a, b) for a, b in zip(first[0].parameters(), again[0].parameters(), strict=True))
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


def test_making_a_model_leaves_the_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    zoo.make("ds_cnn", seed=5)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("resnet9", ["resnet9", "deep_autoencoder", "mobilenet_v2", "resnet8"]),
        ("", ["model", "resnet8"]),
        ("resnet8?depth=3", ["depth", "classes (int from 2 to 100000)", "norm (batch|none)"]),
        ("resnet8?resolution=64", ["resolution", "classes"]),
        ("mobilenet_v2?width=wide", ["width", "wide", "float"]),
        ("mobilenet_v2?width=0", ["width", "0", "from 0.03125"]),
        ("mobilenet_v2?width=-1", ["width", "-1"]),
        ("mobilenet_v2?width=nan", ["width", "nan"]),
        ("mobilenet_v2?width=inf", ["width", "inf"]),
        ("mobilenet_v2?resolution=96.5", ["resolution", "96.5", "int"]),
        ("mobilenet_v2?dropout=1.5", ["dropout", "1.5", "to 1"]),
        ("shufflenet_v2_x1_0?width=2", ["width", "resolution", "classes"]),
        ("har_fcn?channels=0", ["channels", "0", "from 1"]),
        ("resnet8?classes=1", ["classes", "1", "from 2"]),
        ("resnet8?norm=layer", ["norm", "layer", "batch, none"]),
        ("resnet8?norm", ["NAME?key=value"]),
        ("resnet8?", ["NAME?key=value"]),
        ("resnet8?classes=3&classes=4", ["classes", "once"]),
    ],
)
def test_a_bad_spec_is_refused_in_one_line(spec: str, told: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        zoo.make(spec)
    message = str(refused.value)
    assert "\n" not in message
    for words in told:
        assert words in message
