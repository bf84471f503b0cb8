"""What koine takes when the work has another shape: more workers, one hot partition, very many partitions, bodies from 200 bytes to 1 MB."""
import re

import measure
from contestants import DELIVERIES, Koine
from world import PARTITIONS, say

MANY = 1000
SIZES = (200, 1_000, 10_000, 100_000, 1_000_000)
# Bytes of a case with bodies of one size, as far as it has not too many records then.
VOLUME = 256_000_000


def run(world, given):
    chosen = cases(given, VOLUME // 16 if given.quick else VOLUME)
    raws = [world.raw(one.vendor, **shape) for _, one, shape in chosen]
    rows = []
    for number in range(given.rounds):
        say(f"round {number + 1}")
        for (case, one, _), raw in zip(chosen, raws):
            rows.append(measure.run(world, one, raw) | {"case": case, "round": number + 1})
    return rows


def cases(given, volume):
    """(kind, contestant, what its raw topic is like)."""
    made = []
    for delivery, short in DELIVERIES.items():
        def koine(what, vendor="spree", **more):
            return Koine(f"{short}, {what}", given.koine, delivery, vendor, more=more)
        for workers in (1, 2):
            name = f"{workers} worker{'s' * (workers - 1)}"
            made.append(("workers", koine(f"{name}, {PARTITIONS} partitions", workers=workers), {"count": given.records}))
            made.append(("workers", koine(f"{name}, one hot partition of {PARTITIONS}", workers=workers), {"count": given.records, "hot": True}))
        made.append(("workers", koine(f"1 worker, {MANY} partitions"), {"count": given.records, "partitions": MANY}))
        made += [("sizes", koine(f"{size:,} bytes", "bspk"), {"count": min(given.records, volume // size), "cart_bytes": size}) for size in SIZES]
    return [case for case in made if re.search(given.only, case[1].name)]
