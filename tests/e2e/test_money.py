"""Money is exact for a reader of another language: random decimals as JSON strings and numbers, through koine into Avro
container files, read by fastavro."""
import decimal
import json
import random
import subprocess

import fastavro

from support import environment


def amounts(count):
    """Decimal texts that fit decimal(38,9): what JSON takes for a number, with signs, zeros and exponents."""
    rng = random.Random(20260102)
    for _ in range(count):
        whole = str(rng.randrange(10 ** rng.randint(1, 29)))
        fraction = "".join(rng.choices("0123456789", k=rng.randint(0, 9)))
        text = rng.choice(["", "-"]) + whole + ("." + fraction if fraction else "")
        if fraction and len(whole) < 20 and rng.random() < 0.3:
            text += rng.choice("eE") + str(rng.randint(1, len(fraction)))
        yield text


def test_python_reads_every_amount_exactly(koine, tmp_path):
    texts = list(amounts(3000))
    lines = []
    for number, text in enumerate(texts):
        literal = json.dumps(text) if number % 2 else text
        lines.append('{"id":"e%d","name":"order.completed","created_at":"2026-01-15T10:00:00Z","data":{"id":"or_%d",'
                     '"completed_at":"2026-01-15T10:00:00Z","total":%s},"metadata":{"spree_version":"5.4.0"}}' % (number, number, literal))
    bodies = tmp_path / "bodies.jsonl"
    bodies.write_text("\n".join(lines) + "\n")
    done = subprocess.run([koine, "translate", "--vendor", "spree", "--strict", "--format", "avro", "--out", tmp_path / "out", bodies],
                          env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with open(tmp_path / "out" / "commerce.order.v1.avro", "rb") as file:
        totals = [record["order"]["total"] for record in fastavro.reader(file)]
    with decimal.localcontext(prec=60):
        assert totals == [decimal.Decimal(text) for text in texts]
