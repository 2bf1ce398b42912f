import zlib

import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        texts = pb.get_input_tensor_by_name(request, "text").as_numpy()
        embedding = np.zeros((len(texts), 4), dtype=np.float32)
        for row, text in zip(embedding, texts.ravel(), strict=True):
            row[:] = np.random.default_rng(zlib.crc32(text)).normal(size=4)
        return pb.InferenceResponse([pb.Tensor("embedding", embedding)])
