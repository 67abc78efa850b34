"""The compact architectures by name: ``make("mobilenet_v2?width=0.35&resolution=96")``.

Every network is an ordinary ``nn.Module`` written from its paper. Images are NCHW, signals [N,C,T], frames [N,T,F],
tokens int32 [N,T]; what comes out are logits, or the reconstruction of the input.
"""

from selvedge.zoo.entry import Entry, Option
from selvedge.zoo.registry import entry, make, names

__all__ = ["Entry", "Option", "entry", "make", "names"]
