"""The face towards Triton: a Python model that serves whatever ONNX model it is given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from .accelerators import check_accelerators
from .artifact import find_artifact
from .backend_config import default_max_batch_size, server_arguments
from .checks import check_config
from .completion import complete, is_complete
from .cores import available_cores
from .errors import LoadError
from .executor import Answer, Call, Executor
from .graph import read_graph
from .parameters import Parameters, misspelled
from .session import open_session, open_session_for_graph, read_settings

__all__ = ["TritonPythonModel"]


class TritonPythonModel:
    """One instance of an ONNX model."""

    _executor: Executor

    @staticmethod
    def auto_complete_config(auto_complete_model_config: Any) -> Any:
        """Complete the configuration from the graph, where it leaves something open."""
        # The object's own setters refuse `reshape`, and a copy would not travel back.
        config: dict[str, Any] = auto_complete_model_config.as_dict()
        model = config["name"]
        if is_complete(config):
            pb_utils.Logger.log_info(
                f"skipping model configuration auto-complete for '{model}': inputs and outputs "
                "already specified"
            )
            return auto_complete_model_config
        try:
            path = find_artifact(config, Path(pb_utils.get_model_dir()))
            graph = read_graph(open_session_for_graph(path, config))
            size = default_max_batch_size(server_arguments())
            completion, warnings = complete(config, graph, default_max_batch_size=size)
        except LoadError as error:
            raise pb_utils.TritonModelException(str(error)) from None
        config.update(completion)
        _warn(warnings)
        return auto_complete_model_config

    def initialize(self, args: Mapping[str, str]) -> None:
        """Open the session and check the configuration against its graph."""
        config = json.loads(args["model_config"])
        version = Path(args["model_repository"]) / args["model_version"]
        try:
            settings = read_settings(config, cores=available_cores())
            warnings = [*settings.warnings, *check_accelerators(config)]
            session = open_session(find_artifact(config, version), settings)
            graph = read_graph(session)
            check_config(config, graph)
            options = settings.run_options()
            self._executor = Executor(session, graph, config, run_options=options)
        except LoadError as error:
            raise pb_utils.TritonModelException(str(error)) from None
        warnings += misspelled(Parameters(config))
        _warn(f"model '{args['model_name']}': {warning}" for warning in warnings)
        pb_utils.Logger.log_info(
            f"Created session for instance: {args['model_instance_name']} "
            f"({settings.intra_op_threads} intra-op threads)"
        )

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer the requests of one batch of the scheduler."""
        answers = self._executor.answer([_call(request) for request in requests])
        return [_response(answer) for answer in answers]

    def finalize(self) -> None:
        """Free the session before the process ends."""
        del self._executor


def _call(request: Any) -> Call:
    return Call(
        {tensor.name(): tensor.as_numpy() for tensor in request.inputs()},
        tuple(request.requested_output_names()),
        request.request_id(),
    )


def _response(answer: Answer) -> Any:
    if isinstance(answer, dict):
        return pb_utils.InferenceResponse([pb_utils.Tensor(n, a) for n, a in answer.items()])
    code = getattr(pb_utils.TritonError, answer.code)
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(answer), code))


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        pb_utils.Logger.log_warn(warning)
