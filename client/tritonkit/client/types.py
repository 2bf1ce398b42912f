"""What travels through a stack: requests, responses, and the two kinds of callables."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from numpy.typing import NDArray

from tritonkit.client.trace import UNSEEN, Trace

if TYPE_CHECKING:
    from tritonkit.client.spent import Spent

__all__ = ["InferRequest", "InferResponse", "Parameter", "Priority", "Service", "Tensors"]

Tensors: TypeAlias = Mapping[str, NDArray[Any]]
"""Arrays by tensor name; the first axis is rows where the model batches."""

Priority: TypeAlias = Literal["live", "batch", "refresh", "shadow"]
"""How much a request matters, the most first."""

Parameter: TypeAlias = str | int | float | bool
"""A value of a request parameter. A type of its own matters: True is not 1."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class InferRequest:
    """
    One inference request.

    Args:
        model: Name of the model.
        inputs: Arrays by input name. Text and bytes are arrays of dtype object.
        version: Model version; empty lets the server's version policy choose.
        outputs: Names of the outputs wanted; None wants all. They come in the server's order.
        parameters: Request parameters, which may change the answer.
        id: Handed back by the server; empty for none.
        deadline: When the answer is too late, in seconds of `time.monotonic`.
        scope: Whose request it is, such as a tenant; empty for everybody's. An
            answer that is kept is shared within a scope and never beyond it.
        tags: What layers decide by, such as {"user": "u17"}: budgets, experiments,
            routes. Not sent to the server.
        priority: What is shed first where not all can be served: "shadow", then
            "refresh", then "batch", "live" last.
        only_kept: Whether only an answer that is kept will do, however old it is; a
            cache that has none raises NotKept, and so does a transport, which keeps nothing.
        unchecked: Whether nobody could be asked what the model takes, so that the
            inputs are as the caller gave them. No server gets them: such a request
            is *only_kept* as well, but a last resort may answer it.
        spent: Where layers note what failures took, for whoever wants to know.
    """

    model: str
    inputs: Tensors
    version: str = ""
    outputs: tuple[str, ...] | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    id: str = ""
    deadline: float | None = None
    scope: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    priority: Priority = "live"
    only_kept: bool = False
    unchecked: bool = False
    spent: Spent | None = None

    def but(
        self,
        *,
        model: str | None = None,
        inputs: Tensors | None = None,
        version: str | None = None,
        deadline: float | None = None,
        priority: Priority | None = None,
        spent: Spent | None = None,
    ) -> InferRequest:
        """
        A copy with what is named changed; None keeps it.

        What `dataclasses.replace` does in twice the time, for what layers change with
        every request.
        """
        return InferRequest(
            model=self.model if model is None else model,
            inputs=self.inputs if inputs is None else inputs,
            version=self.version if version is None else version,
            outputs=self.outputs,
            parameters=self.parameters,
            id=self.id,
            deadline=self.deadline if deadline is None else deadline,
            scope=self.scope,
            tags=self.tags,
            priority=self.priority if priority is None else priority,
            only_kept=self.only_kept,
            unchecked=self.unchecked,
            spent=self.spent if spent is None else spent,
        )

    @property
    def in_sequence(self) -> bool:
        """
        Whether it is a step of a sequence, of which one server keeps the state.

        An id of 0 or "" is none, as it is to Triton. A start or an end without an id is
        for the server to refuse, and for nobody to answer instead.
        """
        has = self.parameters.get
        return bool(
            self.parameters and (has("sequence_id") or has("sequence_start") or has("sequence_end"))
        )

    def remaining(self, now: float | None = None) -> float | None:
        """Seconds until the deadline, negative when it has passed; None without one."""
        if self.deadline is None:
            return None
        return self.deadline - (time.monotonic() if now is None else now)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class InferResponse(Mapping[str, NDArray[Any]]):
    """
    The answer to one request; itself a mapping of output name to array.

    Args:
        model: Name of the model that answered.
        outputs: Arrays by output name. They may be read-only views of the
            received bytes; copy before writing.
        version: Model version that answered.
        parameters: Response parameters.
        id: The request's id.
        trace: Where each row came from.
    """

    model: str
    outputs: Tensors
    version: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    id: str = ""
    trace: Trace = UNSEEN

    def traced(
        self,
        *,
        tiers: tuple[str, ...] | None = None,
        degraded: str | None = None,
        attempts: int | None = None,
        cost: int | None = None,
        answer: str | None = None,
        arms: tuple[tuple[str, str], ...] | None = None,
    ) -> InferResponse:
        """A copy whose trace says what is named; None keeps what it says."""
        trace = self.trace
        return InferResponse(
            model=self.model,
            outputs=self.outputs,
            version=self.version,
            parameters=self.parameters,
            id=self.id,
            trace=Trace(
                origins=trace.origins,
                ages=trace.ages,
                tiers=trace.tiers if tiers is None else tiers,
                degraded=trace.degraded if degraded is None else degraded,
                attempts=trace.attempts if attempts is None else attempts,
                cost=trace.cost if cost is None else cost,
                answer=trace.answer if answer is None else answer,
                arms=trace.arms if arms is None else arms,
            ),
        )

    def __getitem__(self, name: str) -> NDArray[Any]:
        try:
            return self.outputs[name]
        except KeyError:
            raise KeyError(
                f"model {self.model!r} answered no output {name!r}, but {sorted(self.outputs)}"
            ) from None

    def __repr__(self) -> str:
        outputs = ", ".join(f"{name}: {a.dtype} {a.shape}" for name, a in self.outputs.items())
        return f"InferResponse(model={self.model!r}, version={self.version!r}, {{{outputs}}})"

    def __iter__(self) -> Iterator[str]:
        return iter(self.outputs)

    def __len__(self) -> int:
        return len(self.outputs)


Service: TypeAlias = Callable[[InferRequest], Awaitable[InferResponse]]
"""Whatever answers a request: a transport, a stack, a function in a test."""
