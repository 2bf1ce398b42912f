import re
import time
import zlib

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    """Counts words by a hash of each. "nan" has no vector, "slow" takes long, "fail" fails."""

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        texts = pb.get_input_tensor_by_name(request, "text").as_numpy().ravel()
        vectors = np.zeros((len(texts), 32), dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in re.findall(r"\w+", text.decode().lower()):
                vector[zlib.crc32(word.encode()) % 32] += 1.5
        if b"nan" in texts:
            vectors[0, 0] = np.nan
        if b"slow" in texts:
            time.sleep(0.3)
        if b"fail" in texts:
            return pb.InferenceResponse([], error=pb.TritonError("it fails"))
        return pb.InferenceResponse([pb.Tensor("embedding", vectors)])
