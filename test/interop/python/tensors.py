"""Tensors of every datatype that the models types_… give back as they are."""

import numpy as np

EXAMPLES = {
    "BOOL": np.array([[True, False]]),
    "UINT8": np.array([[0, 255]], dtype=np.uint8),
    "UINT16": np.array([[0, 65535]], dtype=np.uint16),
    "UINT32": np.array([[0, 4294967295]], dtype=np.uint32),
    "UINT64": np.array([[0, 18446744073709551615]], dtype=np.uint64),
    "INT8": np.array([[-128, 127]], dtype=np.int8),
    "INT16": np.array([[-32768, 32767]], dtype=np.int16),
    "INT32": np.array([[-2147483648, 2147483647]], dtype=np.int32),
    "INT64": np.array([[-9223372036854775808, 9223372036854775807]], dtype=np.int64),
    "FP16": np.array([[-65504, 6.1e-5]], dtype=np.float16),
    "FP32": np.array([[-3.4e38, np.nan]], dtype=np.float32),
    "FP64": np.array([[1.7e308, -np.inf]], dtype=np.float64),
    "BYTES": np.array([["grüße".encode(), b""]], dtype=np.object_),
}


def same(a, b):
    """Whether two tensors are alike to the bit, NaN too."""
    if a.dtype == np.object_:
        return a.shape == b.shape and a.tolist() == b.tolist()
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
