import time

import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        seconds = pb.get_input_tensor_by_name(request, "seconds")
        time.sleep(float(seconds.as_numpy()[0, 0]))
        error = pb.get_input_tensor_by_name(request, "error")
        if error is None:
            return pb.InferenceResponse([pb.Tensor("slept", seconds.as_numpy())])
        code = error.as_numpy()[0, 0].decode()
        if code == "raise":
            raise ValueError("boom")
        return pb.InferenceResponse(
            [], error=pb.TritonError(f"says {code}", getattr(pb.TritonError, code))
        )
