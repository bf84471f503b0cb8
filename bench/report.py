"""The tables, made of the figures that are kept: medians of the rounds. It measures nothing."""
import json
import re
import statistics
from collections import defaultdict

TWICE = ", twice the records"
# (heading, what of a row, how it is written)
THROUGHPUT = [
    ("records/s", "rate", "{:,.0f}"), ("steady records/s", "steady", "{:,.0f}"), ("MB/s in", "mb_rate", "{:,.0f}"), ("CPU-s/M", "cpu", "{:.1f}"),
    ("broker CPU-s/M", "broker_cpu", "{:.1f}"), ("peak MiB", "rss", "{:.0f}"), ("first out s", "first", "{:.2f}"),
    ("bytes in", "mean_bytes", "{:,.0f}"), ("bytes out", "out_bytes", "{:,.0f}"), ("headers", "out_headers", "{:,.0f}"), ("sent", "out_sent", "{:,.0f}"),
]
LOAD = [("p50 ms", "p50", "{:.1f}"), ("p99 ms", "p99", "{:.1f}"), ("p99.9 ms", "p999", "{:.1f}"), ("most ms", "most", "{:.0f}"),
        ("records/s", "rate", "{:,.0f}"), ("CPU-s/M", "cpu", "{:.1f}"), ("peak MiB", "rss", "{:.0f}")]
# What it takes is that of the slow partition, too.
SLOW = [column for column in LOAD if column[1] != "cpu"]
START = [("first record s", "first", "{:.3f}")]
IDLE = [("resident MiB", "rss", "{:.1f}"), ("% of a core", "cpu_percent", "{:.1f}")]
WORKERS = [column for column in THROUGHPUT if column[1] in ("rate", "steady", "cpu", "broker_cpu", "rss", "first")]
SIZES = [("records", "records", "{:,.0f}"), ("records/s", "rate", "{:,.0f}"), ("MB/s in", "mb_rate", "{:,.0f}"), ("CPU-s/M", "cpu", "{:.1f}"),
         ("CPU-s/GB", "cpu_per_gb", "{:.1f}"), ("peak MiB", "rss", "{:.0f}")]
MEMORY = [("ns a record", "ns", "{:,.0f}"), ("bytes out", "out_bytes", "{:,.0f}")]
MARK = re.compile(r"(<!-- bench/run writes: (\w+) -->\n).*?(<!-- to here -->)", re.S)


def kept(path):
    return json.loads(path.read_text()) if path.exists() else {}


def summary(rows):
    """{name: {what: [least, median, most] over the rounds, "runs": how many}}."""
    found = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for what, value in row.items():
            if isinstance(value, (int, float)):
                found[row["name"]][what].append(value)
    return {name: {"runs": len(columns["round"])} | {what: [min(values), statistics.median(values), max(values)] for what, values in columns.items()
                                                      if what != "round"} for name, columns in found.items()}


def table(rows, columns):
    lines = ["| | runs | " + " | ".join(heading for heading, _, _ in columns) + " |", "|---|" + "---:|" * (len(columns) + 1)]
    for name, found in summary(rows).items():
        cells = [form.format(found[what][1]) if what in found else "–" for _, what, form in columns]
        lines.append(f"| {name} | {found['runs']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine(section):
    about = dict(section["machine"])
    quick = "**A quick run: it shows that everything works; the figures are none.** " if about.pop("quick") else ""
    return quick + "; ".join(f"{name} {value:.2f}" if isinstance(value, float) else f"{name} {value}" for name, value in about.items()) + "."


class Medians:
    """What the comparisons ask for. Of what has not run there is none, and no comparison."""

    def __init__(self, rows):
        self.found = summary(rows)

    def of(self, name, what):
        columns = self.found.get(name, {})
        return columns[what][1] if what in columns else None

    def all(self, pattern, what):
        values = [self.of(name, what) for name in self.found if re.fullmatch(pattern, name)]
        return [value for value in values if value is not None]

    def warm(self, name):
        """CPU-seconds per million of the records that a run of twice as many has more: without the start."""
        once, twice = self.of(name, "cpu"), self.of(name + TWICE, "cpu")
        if once is None or twice is None:
            return None
        few, many = self.of(name, "records"), self.of(name + TWICE, "records")
        return (twice * many - once * few) / (many - few)


def comparisons(rows):
    """(what, the goal, the figure or None)."""
    medians = Medians(rows)
    cpu = lambda name: medians.of(name, "cpu")
    pace = lambda name: medians.of(name, "steady") or medians.of(name, "rate")
    least = lambda values: min((value for value in values if value is not None), default=None)
    most = lambda values: max((value for value in values if value is not None), default=None)
    ratio = lambda one, other: one / other if one is not None and other else None
    alo, eos = "koine, ALO", "koine, EOS"
    streams = [f"Kafka Streams, {short}, {threads}" for short in ("ALO", "EOS") for threads in ("1 thread", "2 threads")]
    same, floor = "pass-through, unchanged, ", "pass-through, cut to 1.28 KB, "
    yield "CPU, ALO: koine / unchanged pass-through", "≤ 0.9", ratio(cpu(alo), cpu(same + "ALO"))
    yield "CPU, EOS: koine / unchanged pass-through", "≤ 1.0", ratio(cpu(eos), cpu(same + "EOS"))
    yield "CPU, ALO: koine / pass-through cut to 1.28 KB (the floor)", "≤ 1.6, moonshot", ratio(cpu(alo), cpu(floor + "ALO"))
    yield "CPU, EOS: koine / pass-through cut to 1.28 KB (the floor)", "≤ 1.6, moonshot", ratio(cpu(eos), cpu(floor + "EOS"))
    for short in ("ALO", "EOS"):
        yield (f"CPU, {short}: koine / pass-through cut to 3.3 KB (as much as koine sends)", "",
               ratio(cpu(f"koine, {short}"), cpu(f"pass-through, cut to 3.3 KB, {short}")))
        yield (f"CPU, {short}: Rust, sonic-rs and Avro by hand / unchanged pass-through", "",
               ratio(cpu(f"Rust, sonic-rs and Avro by hand, {short}"), cpu(same + short)))
    yield ("CPU, twice the records: Kafka Streams at its best / koine ALO", "≥ 4",
           ratio(least(cpu(name + TWICE) for name in streams), cpu(alo + TWICE)))
    yield ("CPU, warm: Kafka Streams at its best / koine ALO with its start", "≥ 3", ratio(least(map(medians.warm, streams)), cpu(alo)))
    yield "CPU, ALO: Python / koine", "≥ 13", ratio(cpu("Python, orjson and fastavro, ALO"), cpu(alo))
    yield "CPU, ALO: Rust, the obvious way / koine", "", ratio(cpu("Rust, the obvious way, ALO"), cpu(alo))
    yield "steady records/s, ALO: koine / unchanged pass-through", "≥ 1.3", ratio(pace(alo), pace(same + "ALO"))
    yield ("steady records/s: koine ALO / Kafka Streams at its best", "≥ 3",
           ratio(pace(alo), most(pace(name + more) for name in streams for more in ("", TWICE))))
    yield "steady records/s: koine EOS / koine ALO", "≥ 0.8", ratio(pace(eos), pace(alo))
    yield "peak resident MiB of koine", "≤ 120", most(medians.all("koine, (ALO|EOS).*", "rss"))
    for vendor in ("composer", "bold", "bspk"):
        for short in ("ALO", "EOS"):
            yield (f"CPU, {short}: {vendor}: koine / unchanged pass-through", "",
                   ratio(cpu(f"{vendor}: koine, {short}"), cpu(f"{vendor}: {same}{short}")))


def throughput(section):
    rows = section["rows"]
    lines = [table(rows, THROUGHPUT), "", "| | goal | measured |", "|---|---|---:|"]
    lines += [f"| {what} | {goal} | {figure:.2f} |" for what, goal, figure in comparisons(rows) if figure is not None]
    medians = Medians(rows)
    warm = {name: medians.warm(name) for name in medians.found}
    if any(warm.values()):
        lines += ["", "| warm: the second half of twice the records | CPU-s/M |", "|---|---:|"]
        lines += [f"| {name} | {figure:.1f} |" for name, figure in warm.items() if figure is not None]
    return "\n".join(lines)


def latency(section):
    of = lambda kind: [row for row in section["rows"] if row["kind"] == kind]
    return "\n\n".join(table(of(kind), columns) for kind, columns in (("load", LOAD), ("slow", SLOW), ("start", START), ("idle", IDLE)))


def scaling(section):
    of = lambda case: [row for row in section["rows"] if row["case"] == case]
    return "\n\n".join(table(of(case), columns) for case, columns in (("workers", WORKERS), ("sizes", SIZES)) if of(case))


def memory(section):
    medians = Medians(section["rows"])
    typed, ours = medians.of("sonic-rs typed, serde_avro_fast", "ns"), medians.of("koine, spree", "ns")
    lines = [table(section["rows"], MEMORY)]
    if typed and ours:
        lines += ["", "| | goal | measured |", "|---|---|---:|",
                  f"| spree: koine / sonic-rs typed, serde_avro_fast | ≤ 1.0, moonshot 0.75 | {ours / typed:.2f} |"]
    return "\n".join(lines)


MAKERS = {"throughput": throughput, "latency": latency, "scaling": scaling, "memory": memory}


def tables(sections):
    return "\n\n".join(f"{machine(section)}\n\n{MAKERS[name](section)}" for name, section in sections.items())


def write(page, sections):
    """The page with the tables of all sections that are kept between its marks."""
    def renewed(found):
        name = found[2]
        return found[1] + (tables({name: sections[name]}) + "\n" if name in sections else "Not measured yet.\n") + found[3]
    text, places = MARK.subn(renewed, page.read_text())
    if places != len(MAKERS):
        raise SystemExit(f"{page} has {places} places for tables, not {len(MAKERS)}")
    page.write_text(text)
