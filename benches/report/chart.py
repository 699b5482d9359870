"""Bar charts as SVG, readable on light and dark pages."""

from html import escape

WIDTH = 720
LEFT = 190
BAR = 22
ROW = 32

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px }
  .label { text-anchor: end }
  .value { font-variant-numeric: tabular-nums }
  rect { fill: #8c959f }
  .ours { fill: #0a7f64 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    rect { fill: #6e7681 }
    .ours { fill: #3fb995 }
  }
"""


def chart(description, panels):
    """An SVG of `panels`, one below another; each a title and rows of (label, value, text, whether it is ours)."""
    parts, y = [], 0
    for title, rows in panels:
        y += 28
        parts.append(f'<text class="title" x="0" y="{y}">{escape(title)}</text>')
        y += 14
        most = max(value for _, value, _, _ in rows)
        for label, value, text, ours in rows:
            length = max(1.0, (WIDTH - LEFT - 100) * value / most)
            middle = y + BAR / 2 + 5
            parts.append(f'<text class="label" x="{LEFT - 8}" y="{middle:.0f}">{escape(label)}</text>')
            kind = ' class="ours"' if ours else ""
            parts.append(f'<rect{kind} x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>')
            parts.append(f'<text class="value" x="{LEFT + length + 8:.1f}" y="{middle:.0f}">{escape(text)}</text>')
            y += ROW
        y += 8
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img" aria-label="{escape(description)}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>"]) + "\n"
