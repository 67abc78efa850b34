"""A file as a C array that lies in flash: LiteRT for Microcontrollers reads the model where it lies."""

from __future__ import annotations

ALIGNMENT = 16  # of the FlatBuffer's constants


def header(name: str, size: int) -> str:
    """Declares the array of ``size`` bytes. name: a C identifier."""
    guard = f"{name.upper()}_MODEL_H"
    return (
        f'#ifndef {guard}\n#define {guard}\n\n#ifdef __cplusplus\nextern "C" {{\n#endif\n\n'
        f"/* The .tflite file of {name}, for tflite::GetModel. */\n"
        f"#define {name.upper()}_MODEL_BYTES {size}\n"
        f"extern const unsigned char {name}_model[{name.upper()}_MODEL_BYTES];\n\n"
        "#ifdef __cplusplus\n}\n#endif\n\n#endif\n"
    )


def source(name: str, model: bytes) -> str:
    """Defines it, constant and aligned to 16 bytes."""
    rows = ",\n    ".join(", ".join(map(str, model[i : i + 24])) for i in range(0, len(model), 24))
    return (
        f'#include "{name}_model.h"\n\n'
        f"const unsigned char {name}_model[{name.upper()}_MODEL_BYTES] __attribute__((aligned({ALIGNMENT}))) = {{\n"
        f"    {rows}\n}};\n"
    )
