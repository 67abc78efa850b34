"""The MLPerf Tiny int8 models at batch 1: int8 here, the same network in float here, LiteRT, ONNX Runtime."""
