"""The state names and shapes of the reference implementations, generated from their own tables, not from our code.

Each function returns {name: shape} as ``state_dict()`` of the reference has it. Sources: torchvision (pytorch/vision,
torchvision/models/{mobilenetv2,mobilenetv3,efficientnet,shufflenetv2,resnet}.py, torchvision/ops/misc.py), timm
(huggingface/pytorch-image-models, timm/models/{efficientnet,_efficientnet_builder,_efficientnet_blocks}.py) and MCUNet
(mit-han-lab/mcunet, mcunet/tinynas/elastic_nn/networks/ofa_proxyless.py; mit-han-lab/tiny-training,
algorithm/core/ofa_nn/modules/layers.py), read in 2026. Channels that a reference rounds are written out rounded.
"""

from __future__ import annotations

State = dict[str, tuple[int, ...]]


def conv(name: str, outputs: int, inputs: int, kernel: int, groups: int = 1, bias: bool = False) -> State:
    state: State = {f"{name}.weight": (outputs, inputs // groups, kernel, kernel)}
    return state | ({f"{name}.bias": (outputs,)} if bias else {})


def norm(name: str, channels: int) -> State:
    vectors = {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}
    return vectors | {f"{name}.num_batches_tracked": ()}


def linear(name: str, outputs: int, inputs: int) -> State:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def pair(name: str, outputs: int, inputs: int, kernel: int, groups: int = 1) -> State:
    """Conv2dNormActivation: a Sequential of a convolution and a norm (the activation has no state)."""
    return conv(f"{name}.0", outputs, inputs, kernel, groups) | norm(f"{name}.1", outputs)


# torchvision


def mobilenet_v2() -> State:
    """inverted_residual_setting t, c, n, s of the table; input_channel 32, last_channel 1280."""
    state, inputs, index = pair("features.0", 32, 3, 3), 32, 1
    for t, c, n in ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1)):
        for _ in range(n):
            name, hidden, at = f"features.{index}.conv", t * inputs, 0
            if t != 1:
                state |= pair(f"{name}.0", hidden, inputs, 1)
                at = 1
            state |= pair(f"{name}.{at}", hidden, hidden, 3, hidden)
            state |= conv(f"{name}.{at + 1}", c, hidden, 1) | norm(f"{name}.{at + 2}", c)
            inputs, index = c, index + 1
    return state | pair(f"features.{index}", 1280, inputs, 1) | linear("classifier.1", 1000, 1280)


def mobilenet_v3(large: bool) -> State:
    """bneck_conf rows: kernel, expanded, out, squeeze channels (0: use_se is False), as _mobilenet_v3_conf lists them;
    squeeze_channels = _make_divisible(expanded // 4, 8)."""
    rows = (
        (
            (3, 16, 16, 0), (3, 64, 24, 0), (3, 72, 24, 0), (5, 72, 40, 24), (5, 120, 40, 32), (5, 120, 40, 32),
            (3, 240, 80, 0), (3, 200, 80, 0), (3, 184, 80, 0), (3, 184, 80, 0), (3, 480, 112, 120), (3, 672, 112, 168),
            (5, 672, 160, 168), (5, 960, 160, 240), (5, 960, 160, 240),
        )
        if large
        else (
            (3, 16, 16, 8), (3, 72, 24, 0), (3, 88, 24, 0), (5, 96, 40, 24), (5, 240, 40, 64), (5, 240, 40, 64),
            (5, 120, 48, 32), (5, 144, 48, 40), (5, 288, 96, 72), (5, 576, 96, 144), (5, 576, 96, 144),
        )
    )  # fmt: skip
    last_conv, last_channel = (960, 1280) if large else (576, 1024)
    state, inputs = pair("features.0", 16, 3, 3), 16
    for i, (kernel, expanded, out, squeeze) in enumerate(rows, 1):
        name, at = f"features.{i}.block", 0
        if expanded != inputs:
            state |= pair(f"{name}.{at}", expanded, inputs, 1)
            at += 1
        state |= pair(f"{name}.{at}", expanded, expanded, kernel, expanded)
        at += 1
        if squeeze:
            state |= conv(f"{name}.{at}.fc1", squeeze, expanded, 1, bias=True)
            state |= conv(f"{name}.{at}.fc2", expanded, squeeze, 1, bias=True)
            at += 1
        state |= pair(f"{name}.{at}", out, expanded, 1)
        inputs = out
    state |= pair(f"features.{len(rows) + 1}", last_conv, inputs, 1)
    return state | linear("classifier.0", last_channel, last_conv) | linear("classifier.3", 1000, last_channel)


def efficientnet_b0() -> State:
    """bneck_conf rows: expand_ratio, kernel, input_channels, out_channels, num_layers; the squeeze is
    max(1, input_channels // 4)."""
    rows = (
        (1, 3, 32, 16, 1), (6, 3, 16, 24, 2), (6, 5, 24, 40, 2), (6, 3, 40, 80, 3), (6, 5, 80, 112, 3),
        (6, 5, 112, 192, 4), (6, 3, 192, 320, 1),
    )  # fmt: skip
    state = pair("features.0", 32, 3, 3)
    for i, (ratio, kernel, inputs, out, layers) in enumerate(rows, 1):
        for layer in range(layers):
            name, at = f"features.{i}.{layer}.block", 0
            expanded = inputs * ratio
            if ratio != 1:
                state |= pair(f"{name}.{at}", expanded, inputs, 1)
                at += 1
            state |= pair(f"{name}.{at}", expanded, expanded, kernel, expanded)
            state |= conv(f"{name}.{at + 1}.fc1", inputs // 4, expanded, 1, bias=True)
            state |= conv(f"{name}.{at + 1}.fc2", expanded, inputs // 4, 1, bias=True)
            state |= pair(f"{name}.{at + 2}", out, expanded, 1)
            inputs = out
    return state | pair("features.8", 1280, 320, 1) | linear("classifier.1", 1000, 1280)


def shufflenet_v2(stages_out_channels: tuple[int, int, int, int, int]) -> State:
    """stages_repeats [4, 8, 4]; stages_out_channels as the constructors list them."""
    first, *stages, last = stages_out_channels
    state, inputs = pair("conv1", first, 3, 3), first
    for stage, repeats, out in zip((2, 3, 4), (4, 8, 4), stages, strict=True):
        half = out // 2
        for i in range(repeats):
            name = f"stage{stage}.{i}"
            if i == 0:
                state |= conv(f"{name}.branch1.0", inputs, inputs, 3, inputs) | norm(f"{name}.branch1.1", inputs)
                state |= conv(f"{name}.branch1.2", half, inputs, 1) | norm(f"{name}.branch1.3", half)
            state |= conv(f"{name}.branch2.0", half, inputs if i == 0 else half, 1) | norm(f"{name}.branch2.1", half)
            state |= conv(f"{name}.branch2.3", half, half, 3, half) | norm(f"{name}.branch2.4", half)
            state |= conv(f"{name}.branch2.5", half, half, 1) | norm(f"{name}.branch2.6", half)
        inputs = out
    return state | pair("conv5", last, inputs, 1) | linear("fc", 1000, last)


def resnet18() -> State:
    """BasicBlock, layers [2, 2, 2, 2]."""
    state, inputs = conv("conv1", 64, 3, 7) | norm("bn1", 64), 64
    for layer, planes in ((1, 64), (2, 128), (3, 256), (4, 512)):
        for block in range(2):
            name = f"layer{layer}.{block}"
            state |= conv(f"{name}.conv1", planes, inputs, 3) | norm(f"{name}.bn1", planes)
            state |= conv(f"{name}.conv2", planes, planes, 3) | norm(f"{name}.bn2", planes)
            if inputs != planes:
                state |= pair(f"{name}.downsample", planes, inputs, 1)
            inputs = planes
    return state | linear("fc", 1000, 512)


# timm


def _separable(name: str, inputs: int, out: int, kernel: int) -> State:
    depthwise = conv(f"{name}.conv_dw", inputs, inputs, kernel, inputs) | norm(f"{name}.bn1", inputs)
    return depthwise | conv(f"{name}.conv_pw", out, inputs, 1) | norm(f"{name}.bn2", out)


def mobilenet_v1() -> State:
    """_gen_mobilenet_v1: dsa_r1_c64, dsa_r2_c128, dsa_r2_c256, dsa_r6_c512, dsa_r2_c1024; no head convolution."""
    state, inputs = conv("conv_stem", 32, 3, 3) | norm("bn1", 32), 32
    for stage, (repeats, out) in enumerate(((1, 64), (2, 128), (2, 256), (6, 512), (2, 1024))):
        for block in range(repeats):
            state |= _separable(f"blocks.{stage}.{block}", inputs, out, 3)
            inputs = out
    return state | linear("classifier", 1000, 1024)


# Channels and repeats of the seven stages: round_channels(c, width) and ceil(r * depth), the first and the last stage
# keeping their one block (fix_first_last).
LITE = (
    ((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
    ((16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1)),
    ((16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)),
    ((24, 32, 48, 96, 136, 232, 384), (1, 3, 3, 5, 5, 6, 1)),
    ((24, 32, 56, 112, 160, 272, 448), (1, 4, 4, 6, 6, 8, 1)),
)


def efficientnet_lite(size: int) -> State:
    """_gen_efficientnet_lite: ds_k3_c16, ir_k3_e6_c24, k5_c40, k3_c80, k5_c112, k5_c192, k3_c320;
    stem 32, head 1280."""
    channels, repeats = LITE[size]
    state, inputs = conv("conv_stem", 32, 3, 3) | norm("bn1", 32), 32
    for stage, (out, times, kernel) in enumerate(zip(channels, repeats, (3, 3, 5, 3, 5, 5, 3), strict=True)):
        for block in range(times):
            name = f"blocks.{stage}.{block}"
            if stage == 0:
                state |= _separable(name, inputs, out, kernel)
            else:
                wide = 6 * inputs
                state |= conv(f"{name}.conv_pw", wide, inputs, 1) | norm(f"{name}.bn1", wide)
                state |= conv(f"{name}.conv_dw", wide, wide, kernel, wide) | norm(f"{name}.bn2", wide)
                state |= conv(f"{name}.conv_pwl", out, wide, 1) | norm(f"{name}.bn3", out)
            inputs = out
    return state | conv("conv_head", 1280, inputs, 1) | norm("bn2", 1280) | linear("classifier", 1000, 1280)


# MCUNet


def mcunet(blocks: list[tuple[int, int, int, int]], classes: int = 1000) -> State:
    """ProxylessNASNets without feature_mix_layer. ``blocks``: inputs, expanded (0: none), outputs, kernel of each."""
    state = conv("first_conv.conv", 16, 3, 3) | norm("first_conv.bn", 16)
    for i, (inputs, expanded, out, kernel) in enumerate(blocks):
        name, wide = f"blocks.{i}.mobile_inverted_conv", expanded or inputs
        if expanded:
            bottleneck = f"{name}.inverted_bottleneck"
            state |= conv(f"{bottleneck}.conv", wide, inputs, 1) | norm(f"{bottleneck}.bn", wide)
        state |= conv(f"{name}.depth_conv.conv", wide, wide, kernel, wide) | norm(f"{name}.depth_conv.bn", wide)
        state |= conv(f"{name}.point_linear.conv", out, wide, 1) | norm(f"{name}.point_linear.bn", out)
    return state | linear("classifier.linear", classes, blocks[-1][2])
