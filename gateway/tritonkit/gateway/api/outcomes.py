"""`/api/outcomes`: what came of answers, for experiments."""

from __future__ import annotations

from typing import Any

from tritonkit.client.async_client import AsyncClient
from tritonkit.client.experiments.events import Outcome, wall_clock
from tritonkit.errors import ConfigError
from tritonkit.gateway.api.call import Call
from tritonkit.gateway.api.documented import listed, obj, operation, text
from tritonkit.gateway.api.entrance import Reply
from tritonkit.gateway.api.fields import Fields, shown, wrong

__all__ = ["PATHS", "Outcomes"]

_FIELDS = ("answer", "name", "value", "at")


class Outcomes:
    """
    Args:
        client: Whose experiments they are of.
        most: Outcomes of a request.
    """

    def __init__(self, client: AsyncClient, most: int) -> None:
        self._client = client
        self._most = most

    async def record(self, call: Call) -> Reply:
        """
        Take them, all or none.

        Those that agree in all fields count once, so that a request with times of its own
        may be sent again where nobody knows whether it arrived.
        """
        log = self._client.experiments
        if log is None:
            raise wrong(
                'this gateway keeps no experiments: the policy needs experiments = "..."',
                status=501,
            )
        document = call.document
        many = isinstance(document, dict) and "outcomes" in document
        given: Any = Fields(document, ("outcomes",)).any("outcomes") if many else [document]
        if not isinstance(given, list) or not given:
            raise wrong(f"'outcomes' must be a list with one at least, but got {shown(given)}")
        if len(given) > self._most:
            raise wrong(
                f"'outcomes' must be {self._most} at most, but got {len(given)}", status=413
            )
        now = wall_clock()
        found = []
        for number, each in enumerate(given):
            where = f"outcomes[{number}]" if many else "the body"
            outcome = _outcome(Fields(each, _FIELDS, where), where, now)
            if outcome is not None:
                found.append(outcome)
        if found:
            log.add(found)
        return Reply({"recorded": len(found), "ignored": len(given) - len(found)}, 202)


def _outcome(fields: Fields, where: str, now: float) -> Outcome | None:
    answer = fields.text("answer", most=100)
    value, at = fields.any("value"), fields.any("at") if "at" in fields else now
    for name, number in (("value", value), ("at", at)):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise wrong(f"{where}: {name!r} must be a number, but got {shown(number)}")
    name = fields.text("name", most=1_000)
    if not answer:
        # Of an answer that no experiment has part in.
        return None
    try:
        return Outcome(answer=answer, name=name, value=float(value), at=float(at))
    except (ConfigError, OverflowError) as error:
        raise wrong(f"{where}: {error}") from None


_OUTCOME = obj(
    {
        "answer": text("The id in an answer's trace; empty where no experiment had part in it."),
        "name": text("Of the metric, such as `conversion`.", minLength=1, maxLength=1_000),
        "value": {"type": "number"},
    },
    {"at": {"type": "number", "description": "Seconds since 1970; now by default."}},
)
_COUNT = {"type": "integer", "minimum": 0}

PATHS = {
    "/api/outcomes": {
        "post": operation(
            "record",
            "What came of answers, for the experiments that they had part in",
            "outcomes",
            {
                "202": (
                    "Taken, all of them.",
                    obj(
                        {
                            "recorded": _COUNT,
                            "ignored": {**_COUNT, "description": "Those without an answer."},
                        }
                    ),
                )
            },
            body={"oneOf": [_OUTCOME, obj({"outcomes": listed(_OUTCOME, minItems=1)})]},
            refusals=("400", "401", "403", "413", "429", "501"),
        )
    }
}
"""For the OpenAPI document."""
