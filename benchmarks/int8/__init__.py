"""The int8 models of MLPerf Tiny at batch 1: int8 here, the same network in float here, LiteRT, ONNX Runtime."""
