"""How an experiment stands: its arms as constructed, and what was said of it since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tritonkit.client.experiments.control import Control
from tritonkit.client.layers.split.arm import Arm
from tritonkit.client.layers.split.assignment import Assignment, check_weights, hash64
from tritonkit.client.layers.split.known import REMEMBERED, Known
from tritonkit.client.layers.split.thompson import Thompson, shares
from tritonkit.errors import ConfigError

__all__ = ["Design", "Plan"]


class Plan(NamedTuple):
    """
    Args:
        control: That it follows.
        assignment: Whom to expose, and to which arm.
        version: Of the experiment: the same in every process, and another one where
            the salt, a weight or an arm is another one. The share is no part of it, so a
            ramp exposes nobody twice; nor are a bandit's weights.
        everybody: The arm of all units, where nobody is assigned; None while it runs.
        arms: Of the units that took part lately.
        propensities: In a bandit, the probability of each arm.
    """

    control: Control
    assignment: Assignment
    version: str
    everybody: Arm | None
    arms: Known[str, Arm]
    propensities: Mapping[str, float] | None


class Design:
    """
    An experiment as it was constructed.

    Args:
        experiment: Its name.
        arms: The first is the control.
        salt: As Assignment takes it; likewise the others.
        share: Of all units that are exposed.
        group: Of experiments.
        range: Of the group.
        holdout: Of the group.
        bandit: What the weights follow; None for an experiment.

    Raises:
        ConfigError: If they do not make an experiment.
    """

    def __init__(
        self,
        experiment: str,
        arms: Sequence[Arm],
        *,
        salt: str,
        share: float,
        group: str,
        range: tuple[float, float],
        holdout: float,
        bandit: Thompson | None = None,
    ) -> None:
        if len(arms) < 2:
            raise ConfigError(f"Split needs two arms at least, but got {len(arms)}.")
        self.arms = {arm.name: arm for arm in arms}
        if len(self.arms) < len(arms):
            raise ConfigError(
                f"arms must have different names, but got {[arm.name for arm in arms]}."
            )
        layers = [id(layer) for arm in arms for layer in arm.layers]
        if len(set(layers)) < len(layers):
            raise ConfigError("a layer belongs to one arm; give each arm a layer of its own.")
        self.experiment = experiment
        self.first = arms[0]
        self.share = share
        self.group = group
        self.range = range
        self.holdout = holdout
        self.bandit = bandit
        self.weights = {arm.name: arm.weight for arm in arms}
        self._salt = salt
        self.plan(Control())
        if bandit is not None:
            bandit.check(self.weights)

    @property
    def remembered(self) -> str:
        """What units are remembered by: another salt assigns them anew, so it is another name."""
        return f"{self.experiment}\0{self._salt}" if self._salt else self.experiment

    def plan(self, control: Control) -> Plan:
        """
        What follows from *control*.

        Raises:
            ConfigError: If it names arms that this experiment does not have, or not all.
        """
        weights = self.weights if control.weights is None else dict(control.weights)
        if weights.keys() != self.arms.keys():
            raise ConfigError(f"weights must name the arms {list(self.arms)}, not {list(weights)}.")
        check_weights(weights)
        everybody = None
        if control.state == "promoted":
            if control.arm not in self.arms:
                raise ConfigError(f"{control.arm!r} is promoted, and none of {list(self.arms)}.")
            everybody = self.arms[control.arm]
        elif control.state == "stopped":
            everybody = self.first
        assignment = Assignment(
            self.experiment,
            weights,
            salt=self._salt,
            share=self.share if control.share is None else control.share,
            group=self.group,
            range=self.range,
            holdout=self.holdout,
        )
        propensities = None if self.bandit is None else shares(weights)
        version = self._version(weights)
        return Plan(control, assignment, version, everybody, Known(REMEMBERED), propensities)

    def _version(self, weights: dict[str, float]) -> str:
        # A bandit's weights change all the time: answers carry their propensity instead.
        fields = ["version", self._salt, self.experiment]
        fields += [] if self.bandit is None else ["bandit", self.bandit.draw]
        for name in sorted(self.arms, key=str.encode):
            fields += [*self.arms[name].identity]
            fields += [repr(float(weights[name]))] if self.bandit is None else []
        return f"{hash64(*fields):016x}"
