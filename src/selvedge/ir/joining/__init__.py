"""The rules of :mod:`selvedge.ir.joined`: float rows between ``dequantise`` and ``quantise`` -> int8 rows."""
