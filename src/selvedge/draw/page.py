"""A self-contained HTML document, or a fragment for a notebook, round parts that are HTML already."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import resources

from .palette import variables


def page(title: str, parts: Sequence[str], *, subtitle: str = "", style: str = "") -> str:
    """A document that loads nothing, light or dark as the reader's system is, for a telephone or a desk.

    title, subtitle: text. parts: HTML, as :func:`section`, :func:`table` and the pictures make it. style: more CSS.
    """
    below = f"<p>{escape(subtitle)}</p>" if subtitle else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>"
        f"<style>{variables()}{_css('page.css')}{_css('picture.css')}{style}</style></head>"
        f'<body class="sv"><main><h1>{escape(title)}</h1>{below}{"".join(parts)}</main></body></html>\n'
    )


def inline(parts: Sequence[str]) -> str:
    """What a notebook shows: the parts with their style, which touches nothing else there."""
    return f'<div class="sv"><style>{variables()}{_css("picture.css")}</style>{"".join(parts)}</div>'


def section(title: str, *parts: str) -> str:
    """A heading, and HTML below it."""
    return f"<section><h2>{escape(title)}</h2>{''.join(parts)}</section>"


def tiles(figures: Sequence[tuple[str, str]]) -> str:
    """(figure, what it is) in boxes beside each other."""
    made = "".join(f"<li><b>{escape(value)}</b>{escape(label)}</li>" for value, label in figures)
    return f'<ul class="sv-tiles">{made}</ul>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], strong: int | None = None) -> str:
    """A table of text; where it is too wide it scrolls by itself. strong: the row to stress."""
    top = "".join(f"<th>{escape(h)}</th>" for h in head)
    lower = "".join(
        f"<tr{' class=strong' if i == strong else ''}>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>"
        for i, row in enumerate(rows)
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{lower}</tbody></table></div>'


def _css(name: str) -> str:
    return resources.files("selvedge.draw").joinpath(name).read_text(encoding="utf-8")
