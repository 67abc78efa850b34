"""The zoo's rows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from selvedge.zoo.char_gru import CharGRU
from selvedge.zoo.convolution import NORMS, PADDINGS
from selvedge.zoo.deep_autoencoder import DeepAutoencoder
from selvedge.zoo.ds_cnn import DSCNN
from selvedge.zoo.efficientnet import EfficientNetB0
from selvedge.zoo.efficientnet_lite import SIZES as LITE
from selvedge.zoo.efficientnet_lite import EfficientNetLite
from selvedge.zoo.entry import Entry, Option
from selvedge.zoo.fcn import FCN
from selvedge.zoo.keyword_rnn import FEATURES, KeywordRNN
from selvedge.zoo.m5 import M5
from selvedge.zoo.mcunet import MCUNet
from selvedge.zoo.mobilenet_v1 import MobileNetV1
from selvedge.zoo.mobilenet_v1_full import MobileNetV1Full
from selvedge.zoo.mobilenet_v2 import MobileNetV2
from selvedge.zoo.mobilenet_v3 import MobileNetV3
from selvedge.zoo.resnet8 import ResNet8
from selvedge.zoo.resnet18 import ResNet18
from selvedge.zoo.shufflenet_v2 import ShuffleNetV2
from selvedge.zoo.text_cnn import TextCNN

MOST_CLASSES, MOST_PIXELS, MOST_SAMPLES = 100_000, 8192, 1_000_000
LEAST_WIDTH, MOST_WIDTH = 1 / 32, 8.0
IMAGE = (3, "resolution", "resolution")
NORM = Option("batch", choices=NORMS)
PADDING = Option("symmetric", choices=PADDINGS)


def _options(**rows: Option) -> Mapping[str, Option]:
    return MappingProxyType(rows)


def _width(default: float = 1.0) -> Option:
    return Option(default, LEAST_WIDTH, MOST_WIDTH)


def _classes(default: int = 1000) -> Option:
    return Option(default, 2, MOST_CLASSES)


def _resolution(default: int = 224, least: int = 1) -> Option:
    return Option(default, least, MOST_PIXELS)


def _dropout(default: float) -> Option:
    return Option(default, 0.0, 1.0)


def _lite(size: int) -> Entry:
    _, _, resolution, dropout = LITE[size]
    options = _options(
        width=_width(), resolution=_resolution(resolution), classes=_classes(), norm=NORM, dropout=_dropout(dropout),
        padding=PADDING,
    )  # fmt: skip
    return Entry(
        f"efficientnet_lite{size}", partial(EfficientNetLite, size), options, IMAGE, "cross_entropy",
        "arXiv:1905.11946",
    )  # fmt: skip


def _shufflenet(size: float) -> Entry:
    options = _options(resolution=_resolution(), classes=_classes(), norm=NORM)
    name = f"shufflenet_v2_x{size:.1f}".replace(".", "_")
    return Entry(name, partial(ShuffleNetV2, size), options, IMAGE, "cross_entropy", "arXiv:1807.11164")


def _mcunet(name: str, body: str, source: str) -> Entry:
    options = _options(
        resolution=_resolution(128), classes=_classes(), norm=NORM, dropout=_dropout(0.0), head=Option(0, 0, 8192)
    )  # fmt: skip
    return Entry(name, partial(MCUNet, body), options, IMAGE, "cross_entropy", source)


def _mobilenet_v3(size: str) -> Entry:
    options = _options(
        width=_width(), resolution=_resolution(), classes=_classes(), norm=NORM, dropout=_dropout(0.2)
    )  # fmt: skip
    return Entry(
        f"mobilenet_v3_{size}", partial(MobileNetV3, size), options, IMAGE, "cross_entropy", "arXiv:1905.02244"
    )  # fmt: skip


def _keyword(cell: str, hidden: int, frames: int) -> Entry:
    options = _options(hidden=Option(hidden, 1, 4096), length=Option(frames, 1, MOST_SAMPLES), classes=_classes(12))
    return Entry(
        f"keyword_{cell}", partial(KeywordRNN, cell), options, ("length", FEATURES), "cross_entropy",
        "arXiv:1711.07128",
    )  # fmt: skip


ROWS = (
    Entry(
        "resnet8", ResNet8, _options(width=_width(), classes=_classes(10), norm=NORM, padding=PADDING),
        (3, 32, 32), "cross_entropy", "arXiv:2106.07597",
    ),
    Entry(
        "ds_cnn", DSCNN,
        _options(width=_width(), depth=Option(1.0, 0.25, 8.0), classes=_classes(12), norm=NORM, padding=PADDING),
        (1, 49, 10), "cross_entropy", "arXiv:1711.07128",
    ),
    Entry(
        "mobilenet_v1_025", MobileNetV1,
        _options(width=_width(0.25), resolution=_resolution(96), classes=_classes(2), norm=NORM, padding=PADDING),
        IMAGE, "cross_entropy", "arXiv:1704.04861",
    ),
    Entry(
        "deep_autoencoder", DeepAutoencoder, _options(norm=NORM),
        (640,), "reconstruction", "arXiv:2006.05822",
    ),
    Entry(
        "mobilenet_v1", MobileNetV1Full,
        _options(width=_width(), resolution=_resolution(), classes=_classes(), norm=NORM, dropout=_dropout(0.0)),
        IMAGE, "cross_entropy", "arXiv:1704.04861",
    ),
    Entry(
        "mobilenet_v2", MobileNetV2,
        _options(width=_width(), resolution=_resolution(), classes=_classes(), norm=NORM, dropout=_dropout(0.2)),
        IMAGE, "cross_entropy", "arXiv:1801.04381",
    ),
    _mobilenet_v3("small"),
    _mobilenet_v3("large"),
    Entry(
        "efficientnet_b0", EfficientNetB0,
        _options(width=_width(), resolution=_resolution(), classes=_classes(), norm=NORM, dropout=_dropout(0.2)),
        IMAGE, "cross_entropy", "arXiv:1905.11946",
    ),
    *(_lite(size) for size in range(len(LITE))),
    *(_shufflenet(size) for size in (0.5, 1.0, 1.5, 2.0)),
    Entry(
        "resnet18", ResNet18, _options(resolution=_resolution(), classes=_classes(), norm=NORM),
        IMAGE, "cross_entropy", "arXiv:1512.03385",
    ),
    _mcunet("mcunet_5fps", "mcunet-5fps", "arXiv:2007.10319"),
    _mcunet("proxyless_w03", "proxyless-w0.3", "arXiv:1812.00332"),
    _mcunet("mbv2_w035", "mbv2-w0.35", "arXiv:2206.15472"),
    Entry(
        "har_fcn", FCN,
        _options(
            width=_width(), channels=Option(9, 1, 1024), length=Option(128, 1, MOST_SAMPLES), classes=_classes(6),
            norm=NORM,
        ),
        ("channels", "length"), "cross_entropy", "arXiv:1611.06455",
    ),
    Entry(
        "audio_m5", M5,
        _options(width=_width(), length=Option(8000, 6848, MOST_SAMPLES), classes=_classes(35), norm=NORM),
        (1, "length"), "cross_entropy", "arXiv:1610.00087",
    ),
    _keyword("gru", 154, 25),
    _keyword("lstm", 118, 49),
    Entry(
        "text_cnn", TextCNN,
        _options(
            vocabulary=Option(4096, 2, 1_000_000), embedding=Option(32, 1, 4096), features=Option(32, 1, 4096),
            length=Option(64, 5, MOST_SAMPLES), classes=_classes(4), dropout=_dropout(0.5),
        ),
        ("length",), "cross_entropy", "arXiv:1408.5882", tokens="vocabulary",
    ),
    Entry(
        "char_gru", CharGRU,
        _options(
            classes=_classes(96), embedding=Option(32, 1, 4096), hidden=Option(128, 1, 4096), layers=Option(1, 1, 8),
            length=Option(64, 1, MOST_SAMPLES),
        ),
        ("length",), "cross_entropy", "arXiv:1406.1078", tokens="classes",
    ),
)  # fmt: skip
