"""The networks over time: padding as Keras pads, causality, padding tokens, tokens as input."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch.nn import functional

from selvedge import zoo
from selvedge.zoo.fcn import SameConv1d
from selvedge.zoo.shufflenet_v2 import shuffle


@pytest.mark.parametrize("kernel", [1, 2, 3, 5, 8])
def test_a_same_convolution_over_time_is_pytorchs(kernel: int) -> None:
    conv = SameConv1d(3, 4, kernel)
    x = torch.randn(2, 3, 11, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel lengths")
        expected = functional.conv1d(x, conv.weight, conv.bias, padding="same")
    torch.testing.assert_close(conv(x), expected)


def test_the_shuffle_interleaves_the_branches() -> None:
    x = torch.arange(6.0)[None, :, None, None].expand(1, 6, 2, 3)
    assert shuffle(x)[0, :, 0, 0].tolist() == [0, 3, 1, 4, 2, 5]
    torch.testing.assert_close(shuffle(x), torch.nn.ChannelShuffle(2)(x))


def test_the_character_model_sees_only_what_came_before() -> None:
    model, tokens, _ = zoo.make("char_gru?length=12&layers=2")
    model.eval()
    changed = tokens.clone()
    changed[0, 7] = (changed[0, 7] + 1) % 96
    before, after = model(tokens), model(changed)
    assert before.shape == (1, 96, 12)
    assert torch.equal(before[..., :7], after[..., :7])
    assert not torch.isclose(before[..., 7:], after[..., 7:]).all(1).any()


def test_how_much_padding_follows_a_text_changes_nothing() -> None:
    """Once a whole window is padding, a further one finds the same: a mean over time would be thinned."""
    model, _, _ = zoo.make("text_cnn")
    model.eval()
    text = torch.randint(1, 4096, (3, 9), dtype=torch.int32, generator=torch.Generator().manual_seed(1))
    short, long = (model(functional.pad(text, (0, padding))) for padding in (9, 90))
    torch.testing.assert_close(short, long)
    assert not torch.allclose(short, model(text.flip(1)))


@pytest.mark.parametrize(("name", "options", "tokens"), [("char_gru", "classes", 7), ("text_cnn", "vocabulary", 7)])
def test_an_example_of_tokens_is_integers_below_their_number(name: str, options: str, tokens: int) -> None:
    _, example, _ = zoo.make(f"{name}?{options}={tokens}&length=400")
    assert example.dtype == torch.int32
    assert example.shape == (1, 400)
    assert set(example.unique().tolist()) == set(range(tokens))


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_keyword_is_told_from_the_last_state(cell: str) -> None:
    model, x, _ = zoo.make(f"keyword_{cell}?hidden=8&length=6")
    model.eval()
    states, _ = model.rnn(x)
    torch.testing.assert_close(model(x), functional.linear(states[:, -1], model.fc.weight, model.fc.bias))
    changed = x.clone()
    changed[0, 0] += 1
    assert not torch.equal(model(x), model(changed))
