"""The code on a page of docs/, as it stands there: the fenced blocks of a language, and under which headings."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<mark><!-- (?P<kind>[a-z ]+)(?:: (?P<why>[^>]*))? -->\n)?```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S)


def blocks(page, language):
    """[(text, kind of its mark or None)] of the blocks in this language."""
    found = FENCE.finditer((ROOT / page).read_text())
    return [(it["text"], it["kind"]) for it in found if it["language"] == language]


def section(page, heading):
    """The text under a heading, to the next one of its level or above."""
    text = (ROOT / page).read_text()
    level = re.match("#+", heading)[0]
    begin = text.index(f"\n{heading}\n") + len(heading) + 2
    end = re.search(rf"^#{{1,{len(level)}}} ", text[begin:], re.M)
    return text[begin:begin + end.start()] if end else text[begin:]
