"""What the shell offers at the next press of Tab. Nothing here imports torch: a shell does not wait."""

from __future__ import annotations

from pathlib import Path

# The zoo's own list needs torch; a test keeps this one equal to it.
ZOO = (
    "audio_m5", "char_gru", "deep_autoencoder", "ds_cnn", "efficientnet_b0", "efficientnet_lite0",
    "efficientnet_lite1", "efficientnet_lite2", "efficientnet_lite3", "efficientnet_lite4", "har_fcn", "keyword_gru",
    "keyword_lstm", "mbv2_w035", "mcunet_5fps", "mobilenet_v1", "mobilenet_v1_025", "mobilenet_v2",
    "mobilenet_v3_large", "mobilenet_v3_small", "proxyless_w03", "resnet18", "resnet8", "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0", "text_cnn",
)  # fmt: skip
UPDATES = ("auto", "full", "bias", "last:1", "last:2", "last:3")
OPTIMIZERS = ("sgd:lr=", "adam:lr=", "rmsprop:lr=")
TRAINED = ("cross_entropy", "mse", "bce_with_logits", "reconstruction")  # losses that files have targets for
LOSSES = (
    *TRAINED, "l1", "smooth_l1", "huber", "kl", "hinge", "soft_margin", "multi_margin", "focal", "poisson", "cosine",
    "triplet",
)  # fmt: skip
NORMS = ("frozen", "folded", "live")
SCHEDULES = ("cosine", "constant", "step", "inverse_sqrt")


def devices(incomplete: str) -> list[str]:
    """Profiles by name, and the user's own in .toml files."""
    from ..device import devices as names

    return _fitting([*names(), *_files(incomplete, ".toml")], incomplete)


def models(incomplete: str) -> list[str]:
    """The zoo, and files that may hold a model."""
    return _fitting([f"zoo:{n}" for n in ZOO] + _files(incomplete, ".py", ".pt2"), incomplete)


def updates(incomplete: str) -> list[str]:
    return _fitting(UPDATES, incomplete)


def optimizers(incomplete: str) -> list[str]:
    return _fitting(OPTIMIZERS, incomplete)


def losses(incomplete: str) -> list[str]:
    return _fitting(LOSSES, incomplete)


def schedules(incomplete: str) -> list[str]:
    return _fitting(SCHEDULES, incomplete)


def norms(incomplete: str) -> list[str]:
    return _fitting(NORMS, incomplete)


def _fitting(names: list[str] | tuple[str, ...], incomplete: str) -> list[str]:
    return sorted(n for n in names if n.startswith(incomplete))


def _files(incomplete: str, *suffixes: str) -> list[str]:
    """Files beside what is typed so far, and folders on the way to them."""
    folder = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    try:
        found = [p for p in folder.iterdir() if not p.name.startswith(".")]
    except OSError:
        return []
    return [str(p) for p in found if p.suffix in suffixes] + [f"{p}/" for p in found if p.is_dir()]
