"""A student that learns from a teacher: losses on outputs and features, the teacher's answers on disk, a ready loop."""

from .cache import TeacherCache
from .loop import Distilled, Epoch, distil
from .module import Distil, Link
from .teacher import SelfTeacher
from .terms import DKD, AttentionTransfer, Hint, Logits, Relational

__all__ = [
    "DKD",
    "AttentionTransfer",
    "Distil",
    "Distilled",
    "Epoch",
    "Hint",
    "Link",
    "Logits",
    "Relational",
    "SelfTeacher",
    "TeacherCache",
    "distil",
]
