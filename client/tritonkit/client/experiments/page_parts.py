"""The parts that pages have in common, whatever they report."""

from __future__ import annotations

from collections.abc import Sequence

from tritonkit.client.experiments.markup import Html, element

__all__ = ["document", "figure", "left", "section", "table"]


def document(title: str, policy: str, style: str, *body: Html) -> str:
    """
    A whole page.

    Args:
        title: Of its tab.
        policy: What the page may load or run; it needs no network.
        style: Its style sheet.
        body: What it shows.
    """
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Html(style)),
    )
    return f"<!doctype html>\n{element('html', head, element('body', *body), lang='en')}\n"


def section(name: str, title: str, *children: Html) -> Html:
    """A part with its heading, which links can lead to."""
    heading = element("h2", title, id=f"{name}-title")
    return element("section", heading, *children, id=name, aria_labelledby=f"{name}-title")


def figure(drawn: Html, caption: str) -> Html:
    """A picture with what it shows in words."""
    return element("figure", drawn, element("figcaption", caption))


def table(caption: str, head: Sequence[str | Html], rows: Sequence[Html]) -> Html:
    """A table that scrolls by itself where the page is narrow."""
    titles = [one if isinstance(one, Html) else element("th", one, scope="col") for one in head]
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *titles)),
        element("tbody", *rows),
    )
    # Whoever has no mouse scrolls by keys.
    return element("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def left(name: str) -> Html:
    """The head of a column of words."""
    return element("th", name, scope="col", class_="left")
