"""What is made from the table of docs/configuration.md: koine's settings in the chart's values.yaml and values.schema.json, and their names
in README.md; and from values.yaml the table of the chart's README. Knows Helm from its files only.

    chart.py          says what is not today's, and exits 1
    chart.py --bless  writes it
"""

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/koine"
BEGIN = "# --- koine's own settings, in the order of docs/configuration.md; made from it: BLESS=1 tests/run helm ---\n"
END = "# --- the end of koine's own settings ---\n"


@dataclass(frozen=True)
class Setting:
    """A row of the table of docs/configuration.md."""
    key: str
    kind: str
    default: str
    meaning: str

    @property
    def name(self):
        return self.key.rsplit(".", 1)[-1]

    @property
    def parent(self):
        return self.key.rpartition(".")[0]

    @property
    def is_secret(self):
        return self.kind.startswith("secret")


def settings():
    rows = []
    for line in (ROOT / "docs/configuration.md").read_text().splitlines():
        cells = line.strip("|").split(" | ")
        if line.startswith("| `") and len(cells) == 5:
            key, kind, default, meaning, _ = (cell.strip() for cell in cells)
            rows.append(Setting(key.strip("`"), kind, default.strip("`"), meaning))
    return rows


# --- values.yaml ---

def first_sentence(text):
    return re.match(r".*?\.(?= [A-Z`]|$)", text).group()


def values_block(table):
    """Each setting with a line of comment; behind a `#` what has no default."""
    lines = ["# koine.yaml, the file that `koine run` reads. Secrets are not here: `files` and `variables` name where they are.", "config:"]
    given = {setting.key for setting in table if setting.default}
    for setting in table:
        above = setting.key.split(".")
        kind = "secret: by files or variables" if setting.is_secret else setting.kind
        note = first_sentence(setting.meaning) + ("" if "section" in kind else f" [{kind}]")
        indent = "  " * len(above)
        if setting.kind == "section" and not any(key.startswith(f"{setting.key}.") for key in given):
            lines += [f"{indent}# {note}", f"{indent}# {setting.name}:"]
        elif setting.kind == "section":
            lines += [f"{indent}# {note}", f"{indent}{setting.name}:"]
        elif setting.kind == "list of sections":
            lines += [f"{indent}# {note}", f"{indent}{setting.name}: []"]
        elif setting.kind == "map of texts":
            lines += [f"{indent}# {note}", f"{indent}{setting.name}: {{}}"]
        elif "[]" in setting.key:
            first = not any(line.startswith(f"{indent[2:]}# - ") for line in lines)
            lines += [f"{indent[2:]}# {note}", f"{indent[2:]}# {'- ' if first else '  '}{setting.name}:"]
        elif setting.default:
            lines += [f"{indent}# {note}", f"{indent}{setting.name}: {setting.default}"]
        else:
            lines += [f"{indent}# {note}", f"{indent}# {setting.name}:"]
    return "\n".join(lines) + "\n"


def values_yaml(table):
    text = (CHART / "values.yaml").read_text()
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}{values_block(table)}{END}{after}"


# --- values.schema.json ---

SIZE = r"^[0-9]+ ?(B|KiB|MiB|GiB|kB|KB|MB|GB)?$"
TIME = r"^[0-9]+ ?(ms|s|m|min|h)$"
# No user and no password: an address is shown wherever the configuration is.
ADDRESS = r"^https?://[^/@]+(/[^@]*)?$"

def value_schema(setting):
    kind = setting.kind
    if kind == "text":
        return {"type": "string", **({"pattern": ADDRESS} if setting.name in ("url", "token_url", "endpoint") else {})}
    if kind == "file":
        return {"type": "string", "pattern": "^/"}
    if kind == "true or false":
        return {"type": "boolean"}
    if kind == "list of texts":
        return {"type": ["array", "string"], "items": {"type": "string"}}
    if kind == "map of texts":
        return {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
    if kind == "a vendor's name, or auto":
        return {"type": "string", "pattern": "^[a-z0-9_]+$"}
    if kind.startswith("whole number"):
        least, most = map(int, re.match(r"whole number, (\d+) to (\d+)", kind).groups())
        number = {"type": "integer", "minimum": least, "maximum": most}
        return {"anyOf": [number, {"const": "auto"}]} if kind.endswith("or auto") else number
    if kind.startswith("size"):
        return {"type": ["integer", "string"], "minimum": 1, "pattern": SIZE}
    if kind.startswith("time"):
        return {"type": "string", "pattern": TIME}
    words = kind.split(", ")
    if len(words) < 2 or not all(re.fullmatch("[a-z_]+", word) for word in words):
        raise SystemExit(f"docs/configuration.md: {setting.key} is of a kind that is not known here: {kind}")
    return {"enum": words}


def config_schema(table):
    """Secrets have no place in it: what holds one is `…_file`, for files that somebody else mounts."""
    root = {"description": "koine.yaml. Secrets are not set here: name them in files or variables.",
            "type": "object", "additionalProperties": False, "properties": {}}
    sections = {"": root}
    for setting in table:
        own = sections[setting.parent.removesuffix("[]")]["properties"]
        if setting.kind in ("section", "list of sections"):
            section = {"type": "object", "additionalProperties": False, "properties": {}}
            sections[setting.key] = section
            own[setting.name] = section if setting.kind == "section" else {"type": "array", "items": section}
        elif setting.is_secret:
            own[f"{setting.name}_file"] = {"type": "string", "pattern": "^/"}
        else:
            own[setting.name] = value_schema(setting)
    return root


def references_schema(description, secrets, others, other):
    """By setting: `secret` refers to a Secret, and `other` stands for what may be elsewhere."""
    names = {key: {"$ref": "#/definitions/secretRef"} for key in secrets} | {key: {"$ref": other} for key in others}
    return {"description": description, "type": "object", "additionalProperties": False, "properties": names,
            "patternProperties": {r"^kafka\.properties\.[a-z0-9_.]+$": {"$ref": other}}}


def values_schema(table):
    schema = json.loads((CHART / "values.schema.json").read_text())
    single = [setting for setting in table if "[]" not in setting.key]
    secrets = [setting.key for setting in single if setting.is_secret]
    files = [setting.key for setting in single if setting.kind == "file"]
    texts = [setting.key for setting in single if setting.kind in ("text", "list of texts")]
    schema["properties"]["config"] = config_schema(table)
    schema["properties"]["files"] = references_schema(
        "Settings whose content koine reads from a file, each with where that is.", secrets, files, "#/definitions/fileRef")
    schema["properties"]["variables"] = references_schema(
        "Settings that koine gets as variables, each with the Secret that has its value.", secrets, texts, "#/definitions/secretRef")
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


# --- README.md ---

KEY = re.compile(r"( *)(# )?( *)(- )?([A-Za-z_]+):(?: (.*))?")


@dataclass(frozen=True)
class Value:
    path: str
    default: str
    note: str


def values():
    """Every line of values.yaml that names a value, with the line of comment above it."""
    found, above, note = [], [], None
    for number, line in enumerate((CHART / "values.yaml").read_text().splitlines(), 1):
        key = KEY.fullmatch(line)
        is_note = line.lstrip().startswith("# ") and not (key and key[2] and not key[6])
        if is_note or not line.strip() or line.startswith("# ---"):
            note = line.strip().removeprefix("# ") if line.strip() and not line.startswith("# ---") else None
            continue
        if not key or note is None:
            raise SystemExit(f"values.yaml:{number}: a value has one line of comment, and that stands above it")
        depth = len(key[1]) + len(key[3]) + len(key[4] or "")
        above = [(column, name) for column, name in above if column < depth]
        above.append((depth, key[5]))
        path = ".".join(name for _, name in above).replace("config.sources.", "config.sources[].")
        found.append(Value(path, key[6] or "", note))
        note = None
    return found


def front_page(table):
    """The names of all settings, by section, in the README of the whole."""
    text = (ROOT / "README.md").read_text()
    before, head, rest = text.partition("| section | settings |\n|---|---|\n")
    after = re.sub(r"\A(\|.*\n)*", "", rest)
    alone = [f"`{setting.key}`" for setting in table if "." not in setting.key and "section" not in setting.kind]
    rows = [f"| | {' '.join(alone)} |"]
    for section in [setting for setting in table if "section" in setting.kind]:
        prefix = f"{section.key}{'[]' if section.kind == 'list of sections' else ''}."
        own = [f"`{setting.name}`" for setting in table if setting.key == prefix + setting.name and "section" not in setting.kind]
        rows.append(f"| `{prefix.removesuffix('.')}` | {' '.join(own)} |")
    return before + head + "".join(f"{row}\n" for row in rows) + after


def readme():
    text = (CHART / "README.md").read_text()
    head, _, _ = text.partition("\n| value |")
    rows = ["| value | default | meaning |", "|---|---|---|"]
    for value in values():
        default = f"`{value.default}`" if value.default else ""
        rows.append(f"| `{value.path}` | {default} | {value.note.replace('|', chr(92) + '|')} |")
    return f"{head.rstrip()}\n\n" + "\n".join(rows) + "\n"


def made():
    """Each file that is made, and what should be in it, in the order in which one rests on the other."""
    table = settings()
    yield CHART / "values.yaml", lambda: values_yaml(table)
    yield CHART / "values.schema.json", lambda: values_schema(table)
    yield CHART / "README.md", readme
    yield ROOT / "README.md", lambda: front_page(table)


def main(bless):
    stale = []
    for path, due in made():
        if bless:
            path.write_text(due())
        elif path.read_text() != due():
            stale.append(path.relative_to(ROOT))
    if stale:
        raise SystemExit(f"not today's: {', '.join(map(str, stale))}; renew: BLESS=1 tests/run helm")


if __name__ == "__main__":
    main("--bless" in sys.argv[1:])
