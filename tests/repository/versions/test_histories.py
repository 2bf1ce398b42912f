"""Any sequence of exports, promotions, rollbacks and prunes, against a list of what was served."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, seed, settings
from hypothesis import strategies as st
from tests.repository.versions.test_promotion import exported, tritonkit

from tritonkit.repository import ModelDirectory, read_config, write_models
from tritonkit.repository.digest import (
    BATCH_INVARIANT,
    files_digest,
    is_as_signed,
    model_digest,
)
from tritonkit.repository.versions.policy import served_versions


class History:
    """What is served, and what was: the last at the end."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository
        self.versions: list[int] = []
        self.before: list[int] = []
        self.served = 0
        # A number may be given again after a prune: then it is other content.
        self.contents: dict[int, bytes] = {}
        self.export(0)

    def export(self, _: int) -> None:
        version = max(self.versions, default=0) + 1
        self.contents[version] = f"{version}, export {len(self.contents)}".encode()
        model = exported(
            "m",
            version,
            self.contents[version],
            invariant=version % 2 > 0,
            keep=bool(self.versions),
        )
        write_models(self.repository, [model])
        self.versions.append(version)
        self.serve(version)

    def serve(self, version: int) -> None:
        if self.served and version != self.served:
            self.before.append(self.served)
        self.served = version

    def promote(self, number: int) -> None:
        version = self.versions[number % len(self.versions)]
        assert self.run("promote", "m", str(version))
        self.serve(version)

    def rollback(self, _: int) -> None:
        there = [version for version in self.before if version in self.versions]
        assert self.run("rollback", "m") == bool(there)
        if there:
            self.served, self.before = there[-1], there[:-1]

    def rollback_to(self, number: int) -> None:
        there = [version for version in self.before if version in self.versions]
        version = self.versions[number % len(self.versions)]
        assert self.run("rollback", "m", "--to", str(version)) == (version in there)
        if version in there:
            last = max(index for index, before in enumerate(there) if before == version)
            self.served, self.before = version, there[:last]

    def prune(self, keep: int) -> None:
        assert self.run("prune", "--keep", str(keep % 3))
        there = [version for version in reversed(self.before) if version in self.versions]
        needed = [self.served, *(v for v in dict.fromkeys(there) if v != self.served)]
        self.versions = list(ModelDirectory(self.repository / "m").versions())
        assert set(needed[: 1 + keep % 3]) <= set(self.versions)
        self.before = [version for version in self.before if version in self.versions]

    def run(self, *arguments: str) -> bool:
        said = tritonkit(self.repository, *arguments)
        assert said.exit_code in (0, 2), said.output
        return said.exit_code == 0

    def check(self) -> None:
        """The configuration is that of the version that is served, digest and all."""
        config = read_config(self.repository / "m")
        assert served_versions(config, self.versions) == (self.served,)
        content = self.contents[self.served]
        assert model_digest(config) == files_digest({"model.onnx": content}, {})
        invariant = str(self.served % 2 > 0).lower()
        assert config.parameters[BATCH_INVARIANT].string_value == invariant
        assert config.parameters["intra_op_thread_count"].string_value == str(self.served)
        assert is_as_signed(config)


STEPS = ("export", "promote", "promote", "rollback", "rollback", "rollback_to", "prune")


@seed(0)
@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 8)), min_size=8, max_size=14))
def test_what_is_served_is_what_was_asked_for(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        history = History(Path(folder) / "r")
        for step, number in steps:
            getattr(history, step)(number)
            history.check()
