import numpy as np
import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        texts = pb.get_input_tensor_by_name(request, "text").as_numpy()
        lengths = np.array([[len(text)] for text in texts.ravel()], dtype=np.int32)
        return pb.InferenceResponse([pb.Tensor("length", lengths)])
