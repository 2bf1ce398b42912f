"""What the demo asks: a few sentences, and many made of them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

__all__ = ["LIKE_NEVER", "corpus", "questions"]

_OPENINGS = (
    "",
    "Hello. ",
    "Good morning, ",
    "Please help: ",
    "Quick question. ",
    "It is urgent. ",
    "Me again. ",
    "From the app: ",
)
_ENDINGS = (
    "",
    " Thank you.",
    " Can you call me back?",
    " I have tried twice already.",
    " It worked until yesterday.",
    " My colleague has the same.",
    " This is about the account of my company.",
    " I am on a phone.",
    " I need it before the weekend.",
    " Nobody has answered so far.",
)

LIKE_NEVER = (
    "The enzyme binds its substrate at the active site.",
    "Basalt forms where lava cools quickly, so that its crystals stay small.",
    "The sonata returns to its first theme, now in the tonic.",
    "Castling is allowed while neither the king nor that rook has moved.",
    "A comet's tail points away from the sun, whichever way it travels.",
    "The glacier has carved a valley whose section has the shape of a U.",
    "Sourdough rises slowly, for wild yeast is slower than what bakers buy.",
    "The keel keeps the boat from drifting sideways when the wind is abeam.",
    "Swifts sleep while they fly, high above the roofs.",
    "The arch carries its load to the piers, stone against stone.",
    "Latin has six cases, of which the ablative means the most things.",
    "A fugue enters voice after voice with the same subject.",
    "Limestone dissolves in rain that has taken up carbon dioxide.",
    "The offside line runs through the last defender but one.",
    "Copper conducts better than iron, and silver better than copper.",
    "The tide is highest some days after the moon is full.",
    "Fresco is painted on plaster while it is wet.",
    "Bamboo flowers once in many years, and then dies.",
    "A prime above three leaves one or five when divided by six.",
    "The treaty moved the border to the watershed.",
    "Saffron is picked by hand in the early morning.",
    "Penguins huddle, and take turns at standing outside.",
    "The telescope gathers light with a mirror, not with a lens.",
    "Felt is made of wool without weaving.",
)
"""About other things than the corpus, and in other words."""


def corpus() -> tuple[str, ...]:
    """The sentences that are kept with the demo, one a line."""
    text = files(__package__).joinpath("corpus.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


def questions(*, shifted: bool = False) -> tuple[str, ...]:
    """
    Texts to ask, the most popular first, no two of them alike.

    Args:
        shifted: About other things, as if those who ask had changed.
    """
    return tuple(dict.fromkeys(_made(LIKE_NEVER if shifted else corpus())))


def _made(sentences: tuple[str, ...]) -> Iterator[str]:
    # The sentences as they are come first.
    for ending in _ENDINGS:
        for opening in _OPENINGS:
            for sentence in sentences:
                yield f"{opening}{sentence}{ending}"
