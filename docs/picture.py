#!/usr/bin/env python3
"""Draws docs/koine.svg, the picture in the README, from the repository: the vendors and how many of their event types come out
where, from docs/mapping.md (which is made of what runs); the topics and how many fields each has, from docs/model.md.

    docs/picture.py            writes it
    docs/picture.py --check    says whether it is today's
"""
import re
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
VENDORS = {"bspk": "BSPK", "spree": "Spree", "composer": "Elastic Path Composer", "bold": "Bold"}
ENTITIES = ("customer", "cart", "order", "product")
WIDTH, HEIGHT = 960, 430
LEFT, MIDDLE, RIGHT = (20, 270), (400, 160), (690, 250)
ROW, TOP, BOX = 74, 46, 54


def sections(page, level):
    """{heading: text}."""
    parts = re.split(rf"^{'#' * level} (.+)$", (DOCS / page).read_text(), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def flows():
    """{vendor: {entity: number of its event types that become one; "all": of all}}."""
    found = {}
    for vendor, text in sections("mapping.md", 2).items():
        if vendor in VENDORS:
            kinds = re.findall(r"^\| `[^`]+` \| ([a-z, ]+) [A-Z_]+ \| [A-Z_, ]+ \|", text, re.M)
            found[vendor] = {entity: sum(entity in kind.split(", ") for kind in kinds) for entity in ENTITIES} | {"all": len(kinds)}
    assert set(found) == set(VENDORS) and all(counts["all"] for counts in found.values()), found
    return found


def fields():
    """{entity: number of its fields}."""
    tables = sections("model.md", 2)
    return {entity: len(re.findall(r"^\| `\w+` \|", tables[entity.capitalize()], re.M)) for entity in ENTITIES}


def text(x, y, words, style="", anchor="start"):
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{style and f" class={style!r}".replace(chr(39), chr(34))}>{words}</text>'


def box(place, y, height, style):
    x, width = place
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" class="{style}"/>'


def curve(start, end, weight, style):
    middle = (start[0] + end[0]) / 2
    return (f'<path d="M{start[0]} {start[1]:g} C{middle:g} {start[1]:g} {middle:g} {end[1]:g} {end[0]} {end[1]:g}" class="{style}" '
            f'stroke-width="{weight:g}"/>')


def drawing():
    counts, known = flows(), fields()
    heights = {name: TOP + nth * ROW for nth, name in enumerate([*VENDORS])}
    outs = {name: TOP + nth * ROW for nth, name in enumerate(ENTITIES)}
    middle_top, middle_height = TOP + 20, 3 * ROW + BOX - 40
    lines, boxes = [], []
    for vendor, name in VENDORS.items():
        y, total = heights[vendor], counts[vendor]["all"]
        at = middle_top + middle_height * (list(VENDORS).index(vendor) + 0.5) / 4
        lines.append(curve((sum(LEFT), y + BOX / 2), (MIDDLE[0], at), 1 + total / 16, "flow"))
        boxes += [box(LEFT, y, BOX, "raw"), text(LEFT[0] + 14, y + 23, f"raw.{vendor}", "topic"),
                  text(LEFT[0] + 14, y + 42, f"{name}: {total} event types", "note")]
    for entity in ENTITIES:
        y, total = outs[entity], sum(flow[entity] for flow in counts.values())
        at = middle_top + middle_height * (ENTITIES.index(entity) + 0.5) / 4
        lines.append(curve((sum(MIDDLE), at), (RIGHT[0], y + BOX / 2), 1 + total / 16, "flow"))
        boxes += [box(RIGHT, y, BOX, "canonical"), text(RIGHT[0] + 14, y + 23, f"commerce.{entity}.v1", "topic"),
                  text(RIGHT[0] + 14, y + 42, f"{known[entity]} fields, from {total} event types", "note")]
    y = TOP + 4 * ROW + 8
    lines.append(curve((MIDDLE[0] + MIDDLE[1] / 2, middle_top + middle_height), (RIGHT[0], y + BOX / 2), 2, "refused"))
    boxes += [box(RIGHT, y, BOX, "dead"), text(RIGHT[0] + 14, y + 23, "dlq.raw.*", "topic"),
              text(RIGHT[0] + 14, y + 42, "the bytes as they came, and why", "note"),
              box(MIDDLE, middle_top, middle_height, "koine"),
              text(MIDDLE[0] + MIDDLE[1] / 2, middle_top + middle_height / 2 - 6, "koine", "name", "middle"),
              text(MIDDLE[0] + MIDDLE[1] / 2, middle_top + middle_height / 2 + 18, "one transaction", "note", "middle"),
              text(MIDDLE[0] + MIDDLE[1] / 2, middle_top + middle_height / 2 + 36, "per batch", "note", "middle"),
              text(LEFT[0], 28, "webhooks, as they came: JSON", "head"),
              text(RIGHT[0], 28, "one model: Avro", "head")]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title">',
        "<!-- Made by docs/picture.py; do not edit. -->",
        '<title id="title">koine reads the raw webhook topics of four vendors and writes four canonical topics; what it cannot read goes to a '
        "dead-letter topic</title>",
        "<style>",
        "text{font-family:ui-sans-serif,system-ui,sans-serif;fill:#1f2933}.topic{font:600 15px ui-monospace,monospace}.note{font-size:12.5px;"
        "fill:#52606d}.head{font-size:14px;font-weight:600;fill:#52606d}.name{font-size:30px;font-weight:700;fill:#fff}",
        "rect{stroke-width:1.5}.raw{fill:#f5f7fa;stroke:#9aa5b1}.canonical{fill:#e3f8ff;stroke:#2680c2}.dead{fill:#fff3e0;stroke:#c65d21}"
        ".koine{fill:#102a43;stroke:#102a43}",
        "path{fill:none;stroke-opacity:.55}.flow{stroke:#2680c2}.refused{stroke:#c65d21;stroke-dasharray:6 5}.koine ~ .note{fill:#bcccdc}",
        "</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *lines, *boxes, "</svg>", ""])


def main():
    path, due = DOCS / "koine.svg", drawing()
    if sys.argv[1:] == ["--check"]:
        if not path.is_file() or path.read_text() != due:
            sys.exit("docs/koine.svg is not today's; renew it: docs/picture.py")
    else:
        path.write_text(due)


main()
