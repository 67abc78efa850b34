"""The colours of every picture, light and dark: as variables for pages, as plain rules for SVG viewers without them."""

from __future__ import annotations

LIGHT = {
    "ground": "#fdfdfb", "ink": "#1d2228", "quiet": "#5b6570", "rule": "#dfe2e5", "tile": "#f2f3f1",
    "a": "#1f65ad", "b": "#c25a12", "c": "#2b7d50", "d": "#868e98", "e": "#c3c9d0", "f": "#7d55b8", "limit": "#b3261e",
}  # fmt: skip
DARK = {
    "ground": "#15181c", "ink": "#e6e8ea", "quiet": "#9aa4af", "rule": "#31373e", "tile": "#1e2328",
    "a": "#6fb1f2", "b": "#f09a55", "c": "#6cc593", "d": "#8a939d", "e": "#454d56", "f": "#b79af0", "limit": "#ff8a80",
}  # fmt: skip
SHAPES = ("a", "b", "c", "d", "e", "f", "limit")


def variables() -> str:
    """CSS variables on ``.sv``, by the system's scheme or the notebook's theme (JupyterLab's, VS Code's)."""
    light, dark = (_block(p) for p in (LIGHT, DARK))
    return (
        f".sv {{ color-scheme: light; {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ .sv {{ color-scheme: dark; {dark} }} }}\n"
        f'[data-jp-theme-light="true"] .sv, .vscode-light .sv {{ color-scheme: light; {light} }}\n'
        f'[data-jp-theme-light="false"] .sv, .vscode-dark .sv {{ color-scheme: dark; {dark} }}\n'
        + "".join(f".sv .{name} {{ --colour: var(--{name}); }}\n" for name in SHAPES)
    )


def plain() -> str:
    """Rules for a standalone SVG: classes ``f-NAME`` fill, ``s-NAME`` stroke."""
    return _rules(LIGHT) + f"@media (prefers-color-scheme: dark) {{ {_rules(DARK)} }}"


def _block(palette: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in palette.items())


def _rules(palette: dict[str, str]) -> str:
    return "".join(f".f-{n} {{ fill: {c}; }} .s-{n} {{ stroke: {c}; }} " for n, c in palette.items())
