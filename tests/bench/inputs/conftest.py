from __future__ import annotations

from collections.abc import Callable

import pytest

from tritonkit.client import Signature

Sign = Callable[..., Signature]


@pytest.fixture(scope="session")
def sign() -> Sign:
    """A signature of inputs as `x="FP32 -1,4"`; outputs are y's."""

    def made(
        max_batch_size: int = 8,
        outputs: dict[str, str] | None = None,
        optional: tuple[str, ...] = (),
        model: str = "m",
        **inputs: str,
    ) -> Signature:
        def tensors(specs: dict[str, str]) -> list[dict[str, object]]:
            leading = [-1] if max_batch_size else []
            return [
                {
                    "name": name,
                    "datatype": spec.partition(" ")[0],
                    "shape": leading + [int(n) for n in spec.partition(" ")[2].split(",") if n],
                }
                for name, spec in specs.items()
            ]

        metadata = {"name": model, "inputs": tensors(inputs), "outputs": tensors(outputs or {})}
        config = {
            "max_batch_size": max_batch_size,
            "input": [{"name": name, "optional": name in optional} for name in inputs],
        }
        return Signature.read(metadata, config)

    return made
