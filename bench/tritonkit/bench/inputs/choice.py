"""What is sent: to one model, or to each model of a mix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tritonkit.bench.inputs.budget import MAX_DISTINCT
from tritonkit.bench.inputs.mix import mixed
from tritonkit.bench.inputs.model_inputs import ModelInputs
from tritonkit.bench.inputs.popularity import Popularity
from tritonkit.bench.inputs.workload import Workload
from tritonkit.client import Signature
from tritonkit.errors import ConfigError

__all__ = ["InputChoice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputChoice:
    """
    What is sent to a model, or to each model of a mix.

    Args:
        inputs: Of every model; in a mix, what names an input is for those that have it.
        by_model: Of models of a mix, what they have instead or in addition.
        distinct: How many different requests of each model there are.
        popularity: How often each of them comes; None for in turn.
        shares: Of the models of a mix, in proportion; empty without a mix.
    """

    inputs: ModelInputs = field(default_factory=ModelInputs)
    by_model: Mapping[str, ModelInputs] = field(default_factory=dict)
    distinct: int | None = None
    popularity: Popularity | None = None
    shares: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.distinct is not None and not 1 <= self.distinct <= MAX_DISTINCT:
            raise ConfigError(f"distinct must be 1 to {MAX_DISTINCT:,}, but got {self.distinct}.")
        for model in self.by_model:
            if model not in self.shares:
                raise ConfigError(f"model {model!r} has inputs of its own, but no share.")
        sources = [s for each in (self.inputs, *self.by_model.values()) for s in each.sources]
        if self.inputs.scaling is not None and not any(s.has_pictures for s in sources):
            raise ConfigError(
                f"a scaling of pictures ({self.inputs.scaling}) is given, but no picture."
            )

    @property
    def models(self) -> tuple[str, ...]:
        """The models of the mix; empty without one."""
        return tuple(self.shares)

    def workload(
        self,
        signature: Signature,
        *,
        batch_size: int = 1,
        seed: int = 0,
        others: Iterable[Signature] = (),
    ) -> Workload:
        """
        Everything that is sent.

        Args:
            signature: Of the model; of a mix any of its models.
            batch_size: Rows of each request.
            seed: Of everything random.
            others: Of the other models of the mix.

        Raises:
            ConfigError: If a model does not take it, or a file is wrong.
        """
        signatures = {each.model: each for each in (signature, *others)}
        workload = self._made(signature, signatures, batch_size, seed)
        self._check_tolerances(signatures.values(), workload)
        return workload

    def _made(
        self,
        signature: Signature,
        signatures: Mapping[str, Signature],
        batch_size: int,
        seed: int,
    ) -> Workload:
        if not self.shares:
            return self._part(self.inputs, signature, batch_size, seed)
        if signature.model not in self.shares:
            raise ConfigError(
                f"model {signature.model!r} is not in the mix of {', '.join(self.shares)}."
            )
        if lacking := [model for model in self.shares if model not in signatures]:
            raise ConfigError(f"the mix needs the signature of model {lacking[0]!r} as well.")
        self._check_names(signatures)
        return mixed(
            {
                model: self._part(self._of(signatures[model]), signatures[model], batch_size, seed)
                for model in self.shares
            },
            self.shares,
        )

    def _part(
        self, inputs: ModelInputs, signature: Signature, batch_size: int, seed: int
    ) -> Workload:
        return inputs.workload(
            signature,
            batch_size=batch_size,
            seed=seed,
            distinct=self.distinct,
            popularity=self.popularity,
        )

    def _of(self, signature: Signature) -> ModelInputs:
        """Of one model of the mix."""
        every, own = self.inputs, self.by_model.get(signature.model, ModelInputs())
        known = signature.inputs
        takes_text = any(spec.datatype == "BYTES" for spec in known.values())
        return replace(
            every,
            sources=own.sources or every.sources,
            shapes={n: v for n, v in every.shapes.items() if n in known} | dict(own.shapes),
            values={n: v for n, v in every.values.items() if n in known} | dict(own.values),
            integers={n: v for n, v in every.integers.items() if n in known} | dict(own.integers),
            texts=own.texts or (every.texts if takes_text else ()),
            expected=own.expected or every.expected,
        )

    def _check_tolerances(self, signatures: Iterable[Signature], workload: Workload) -> None:
        tolerances = self.inputs.tolerances
        named = {*tolerances.rtol, *tolerances.atol}
        known = [name for signature in signatures for name in signature.outputs]
        for name in sorted(named - {"", *known}):
            raise ConfigError(
                f"a tolerance is given for output {name!r}, but the outputs are {', '.join(known)}."
            )
        if named and all(item.check is None for item in workload.items):
            raise ConfigError("a tolerance is given, but no file says what to expect of an answer.")

    def _check_names(self, signatures: Mapping[str, Signature]) -> None:
        known = {name for model in self.shares for name in signatures[model].inputs}
        for name in (*self.inputs.shapes, *self.inputs.values, *self.inputs.integers):
            if name not in known:
                raise ConfigError(
                    f"no model of the mix has an input {name!r}; "
                    f"they take {', '.join(sorted(known))}."
                )
