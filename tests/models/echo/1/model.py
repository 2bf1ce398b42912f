import triton_python_backend_utils as pb


class TritonPythonModel:
    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        wanted = set(request.requested_output_names())
        tensors = [
            # numpy has no bfloat16: handed over by its memory.
            pb.Tensor.from_dlpack(name, tensor.to_dlpack())
            if name == "OUT_BF16"
            else pb.Tensor(name, tensor.as_numpy())
            for tensor in request.inputs()
            if (name := tensor.name().replace("IN_", "OUT_")) in wanted
        ]
        if "PARAMETERS" in wanted:
            import numpy as np

            text = np.array([request.parameters()], dtype=np.object_)
            tensors.append(pb.Tensor("PARAMETERS", text))
        return pb.InferenceResponse(tensors)
