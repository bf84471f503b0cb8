"""A day of webhooks of a few shops, and what was true when it was over.

The shops are played: an order is changed, a product loses a variant, a customer comes back after her deletion. Each happening is a
body made of a fixture's, and is written down in `truth` by hand, in the model's words. Then the delivery: late, repeated, mixed. What has no
clock of its own has nothing but its arrival to tell when it was, so it is neither late nor repeated; what happened in one second with
something else is not late, but repeated.
"""
import copy
import json
import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from support import bodies

MORNING = datetime(2026, 3, 2, tzinfo=timezone.utc)


@dataclass
class Happening:
    vendor: str
    body: dict
    at: datetime
    # "own"; "none": the webhook says no time; "shared": it says the very time of another; "late", "repeated": it surely is.
    clock: str = "own"

    @property
    def value(self):
        return json.dumps(self.body).encode()


def text(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


class Day:
    """`happenings` in the order in which they were; `truth`: {key: fields, or None where the entity is gone}."""

    def __init__(self, seed, count):
        self.chance = random.Random(seed)
        self.fixtures = {vendor: {name: json.loads(body) for name, body in bodies(vendor).items() if name in WANTED[vendor]}
                         for vendor in WANTED}
        self.happenings, self.truth, self.parts, self.now, self.last = [], {}, {}, MORNING, {}
        for nth in range(count):
            self.now += timedelta(seconds=self.chance.randint(1, 2 * 86_400 // count))
            self.chance.choice([self.spree_order, self.spree_order, self.spree_return, self.spree_product, self.spree_variant,
                                self.spree_variant, self.spree_wish, self.bold_product, self.bold_order, self.bold_customer,
                                self.bspk_shopper, self.bspk_metafield, self.composer_order])(nth)
        self.evening()

    def evening(self):
        """What the day may have hidden under what came after it."""
        for number in range(100, 105):
            # Saved in the second of its end, and told of after it.
            self.now += timedelta(seconds=1)
            fields = {"platform_id": f"Order_{number}", "order_number": f"B{number}"}
            self.bold("order", fields | {"platform_updated_at": text(self.now)}, "late")
            self.bold("order", {"platform_id": f"Order_{number}", "platform_deleted_at": text(self.now)}, "shared")
            self.truth[f"bold:default:order:Order_{number}"] = None
        for number in range(100, 105):
            # Twice in one second, and the first of the two sent again after the second.
            self.now += timedelta(seconds=1)
            for total, clock in ((self.amount(), "repeated"), (self.amount(), "shared")):
                self.spree("order.updated", "order.completed", None, clock, id=f"or_{number}", total=total, completed_at=text(MORNING))
                self.truth[f"spree:default:order:or_{number}"] = {"total": total}

    def happen(self, vendor, body, clock="own"):
        self.happenings.append(Happening(vendor, body, self.now, clock))

    def one_of(self, number=12):
        return self.chance.randrange(number)

    def amount(self):
        return f"{self.chance.randint(100, 99_999) / 100:.2f}"

    # ---- Spree: an envelope with an id and a time of its own ----

    def spree(self, event_type, fixture, updated=None, clock="own", /, **data):
        """`updated`: what leaves the entity's clock where it was, as a deletion does."""
        body = copy.deepcopy(self.fixtures["spree"][fixture])
        body["id"] = str(uuid.UUID(int=self.chance.getrandbits(128), version=4))
        body["name"], body["created_at"] = event_type, text(self.now)
        body["data"] |= data | {"updated_at": text(updated or self.now)}
        self.happen("spree", body, clock)

    def spree_order(self, nth):
        """Now and then the order's clock stands still and the envelope's goes on; and now and then twice in one second."""
        number = f"or_{self.one_of()}"
        key, is_double = f"spree:default:order:{number}", self.one_of(4) == 0
        updated = self.last.get(number) if self.one_of(4) == 0 else None
        for _ in range(2 if is_double else 1):
            total, email = self.amount(), f"buyer{nth}@example.com"
            name = "order.completed" if key not in self.truth else self.chance.choice(["order.paid", "order.shipped", "order.canceled"])
            self.spree(name, "order.completed", updated, "shared" if is_double else "own",
                       id=number, number=f"R{number}", total=total, email=email, completed_at=text(MORNING))
            self.truth.setdefault(key, {"returns": self.waiting(key, "returns")}).update(number=f"R{number}", total=total, email=email)
        self.last[number] = updated or self.now

    def spree_return(self, nth):
        """Also of an order that nobody has heard of: it makes none, and waits for it."""
        order, number, state = f"or_{self.one_of()}", f"ra_{self.one_of(30)}", self.chance.choice(["authorized", "canceled"])
        key, known = f"spree:default:order:{order}", self.waiting(f"spree:default:order:{order}", "returns")
        number = f"{order}.{number}"
        is_deletion = number in known and self.one_of(4) == 0
        name = "deleted" if is_deletion else "updated" if number in known else "created"
        self.spree(f"return_authorization.{name}", "return_authorization.created", self.last.get(number) if is_deletion else None,
                   id=number, order_id=order, state=state)
        self.last[number] = self.now
        known.pop(number, None)
        if not is_deletion:
            known[number] = state

    def waiting(self, key, name):
        """The parts of an entity, whether it is there or not."""
        return self.parts.setdefault((key, name), {})

    def spree_product(self, nth):
        number = f"prod_{self.one_of()}"
        key, title = f"spree:default:product:{number}", f"Thing {nth}"
        known = self.waiting(key, "variants")
        if self.truth.get(key) and self.one_of(6) == 0:
            body = copy.deepcopy(self.fixtures["spree"]["product.deleted.thin"])
            body |= {"id": str(uuid.UUID(int=self.chance.getrandbits(128), version=4)), "created_at": text(self.now)}
            body["data"] = {"id": number, "created_at": text(MORNING), "updated_at": text(self.now)}
            self.happen("spree", body)
            self.truth[key] = None
            known.clear()
            return
        self.spree("product.updated", "product.updated", id=number, name=title, slug=title.lower().replace(" ", "-"))
        self.truth[key] = {"name": title, "slug": title.lower().replace(" ", "-"), "variants": known}

    def spree_variant(self, nth):
        product = f"prod_{self.one_of()}"
        key, number, sku = f"spree:default:product:{product}", f"{product}.var_{self.one_of(6)}", f"SKU-{nth}"
        known = self.waiting(key, "variants")
        is_deletion = number in known and self.one_of(4) == 0
        self.spree(f"variant.{'deleted' if is_deletion else 'updated'}", "variant.updated",
                   self.last.get(number) if is_deletion else None, id=number, product_id=product, sku=sku)
        self.last[number] = self.now
        known.pop(number, None)
        if not is_deletion:
            known[number] = sku

    def spree_wish(self, nth):
        """A wish list is patched, its items come in parts."""
        wishlist = f"wl_{self.one_of(6)}"
        key = f"spree:default:cart:{wishlist}"
        known = self.waiting(key, "line_items")
        if self.one_of(3) == 0:
            self.spree("wishlist.updated", "wishlist.updated", id=wishlist, name=f"List {nth}")
            self.truth[key] = {"name": f"List {nth}", "line_items": known}
            return
        number = f"{wishlist}.wi_{self.one_of(6)}"
        is_deletion = number in known and self.one_of(3) == 0
        quantity = self.chance.randint(1, 9)
        self.spree(f"wished_item.{'deleted' if is_deletion else 'created'}", "wished_item.created",
                   self.last.get(number) if is_deletion else None, id=number, wishlist_id=wishlist, quantity=quantity)
        self.last[number] = self.now
        known.pop(number, None)
        if not is_deletion:
            known[number] = quantity

    # ---- Bold: patches, and deletions that name just the id ----

    def bold(self, entity, fields, clock="own"):
        self.happen("bold", {"data": {entity: fields}}, clock)

    def bold_gone(self, entity, number, key):
        if self.truth.get(key) and self.one_of(6) == 0:
            if self.one_of(2) == 0:
                # Saved in the very second of its end, and maybe told of afterwards.
                self.bold(entity, {"platform_id": number, "platform_updated_at": text(self.now)})
            self.bold(entity, {"platform_id": number, "platform_deleted_at": text(self.now)})
            self.truth[key] = None
            return True
        return False

    def bold_patch(self, entity, number, fields):
        """One of the fields, or all."""
        chosen = dict(fields) if self.one_of(3) == 0 else dict([self.chance.choice(list(fields.items()))])
        self.bold(entity, {"platform_id": number, "platform_updated_at": text(self.now)} | {name: value for name, (value, _) in chosen.items()})
        return {name: said for _, said in chosen.values() for name, said in said.items()}

    def bold_product(self, nth):
        number = f"Product_{self.one_of()}"
        key = f"bold:default:product:{number}"
        if self.bold_gone("product", number, key):
            return
        variants = {f"{number}.V{n}": f"B-{nth}-{n}" for n in range(self.one_of(4))}
        fields = {"name": (f"Thing {nth}", {"name": f"Thing {nth}"}), "handle": (f"thing-{nth}", {"slug": f"thing-{nth}"}),
                  "variants": ([{"platform_id": n, "sku": sku} for n, sku in variants.items()], {"variants": variants})}
        said = self.bold_patch("product", number, fields)
        self.truth[key] = (self.truth.get(key) or {"name": None, "slug": None, "variants": {}}) | said

    def bold_order(self, nth):
        number = f"Order_{self.one_of()}"
        key = f"bold:default:order:{number}"
        if self.bold_gone("order", number, key):
            return
        total = self.amount()
        fields = {"order_number": (f"B{nth}", {"number": f"B{nth}"}), "total": (total, {"total": total}),
                  "platform_customer_id": (f"Customer_{nth}", {"customer_id": f"Customer_{nth}"})}
        said = self.bold_patch("order", number, fields)
        self.truth[key] = (self.truth.get(key) or {"number": None, "total": None, "customer_id": None}) | said

    def bold_customer(self, nth):
        number = f"Customer_{self.one_of()}"
        key = f"bold:default:customer:{number}"
        if self.bold_gone("customer", number, key):
            return
        fields = {"email": (f"c{nth}@example.com", {"email": f"c{nth}@example.com"}),
                  # Said, and empty: it is cleared, not left as it was.
                  "phone": ((None, {"phone": None}) if self.one_of(3) == 0 else (f"+1 204 {nth}", {"phone": f"+1 204 {nth}"}))}
        said = self.bold_patch("customer", number, fields)
        self.truth[key] = (self.truth.get(key) or {"email": None, "phone": None}) | said

    # ---- BSPK: shoppers with a clock, metafields without ----

    def bspk_shopper(self, nth):
        """A shopper's body has the metafields in it, and one of them may have changed with it."""
        number = self.one_of()
        key = f"bspk:default:customer:{number}"
        known = self.waiting(key, "attributes")
        if known and self.one_of(2) == 0:
            known[self.chance.choice(sorted(known))] = f"with the shopper {nth}"
        body = copy.deepcopy(self.fixtures["bspk"]["shopper.updated"])
        body["object"] |= {"id": number, "first_name": f"Name {nth}", "email": f"s{nth}@example.com", "updated_at": text(self.now)}
        body["object"]["metafields"] = [dict(zip(("namespace", "key"), name.split(".")), value=value) for name, value in known.items()]
        self.happen("bspk", body)
        self.truth[key] = {"first_name": f"Name {nth}", "email": f"s{nth}@example.com", "attributes": known}

    def bspk_metafield(self, nth):
        owner, number = self.one_of(), self.one_of(4)
        known = self.waiting(f"bspk:default:customer:{owner}", "attributes")
        name = f"loyalty.field{number}"
        bare = {"id": owner * 100 + number, "owner_type": "Shopper", "owner_id": owner}
        part = bare | {"namespace": "loyalty", "key": f"field{number}", "value": f"value {nth}", "json_value": None, "owner_ref": None}
        if name in known and self.one_of(4) == 0:
            self.happen("bspk", {"event_name": "metafield.deleted", "object": self.chance.choice([part, bare])}, "none")
            del known[name]
            return
        self.happen("bspk", {"event_name": "metafield.updated", "object": part}, "none")
        known[name] = f"value {nth}"

    # ---- Composer: snapshots without a clock ----

    def composer_order(self, nth):
        number = str(20_000 + self.one_of())
        body = copy.deepcopy(self.fixtures["composer"]["ORDER_RELEASED"])
        status = self.chance.choice(["COMPLETED", "CANCELLED", "ONHOLD"])
        body["contextObject"]["order"] |= {"orderNumber": number, "status": status}
        self.happen("composer", body, "none")
        self.truth[f"composer:MOBEE:order:{number}"] = {"number": number, "vendor_status": status}

    # ---- the delivery ----

    def delivery(self):
        """[(happening, when it arrives)], in the order of arrival."""
        arrivals = []
        for happening in self.happenings:
            if happening.clock == "none":
                arrivals.append((happening.at, happening))
                continue
            is_late = happening.clock == "late" or happening.clock == "own" and self.chance.random() < 0.33
            arrival = happening.at + timedelta(seconds=self.chance.randint(1, 7_200) if is_late else 0)
            # In the order in which they were sent, where nothing else tells.
            arrival += timedelta(milliseconds=sum(1 for _, other in arrivals[-4:] if other.at == happening.at))
            arrivals.append((arrival, happening))
            if happening.clock == "repeated" or self.chance.random() < 0.2:
                arrivals.append((arrival + timedelta(seconds=self.chance.randint(1, 14_400)), happening))
        arrivals.sort(key=lambda arrival: arrival[0])
        return [(happening, at) for at, happening in arrivals]


WANTED = {
    "spree": {"order.completed", "return_authorization.created", "product.updated", "product.deleted.thin", "variant.updated",
              "wishlist.updated", "wished_item.created"},
    "bspk": {"shopper.updated"},
    "composer": {"ORDER_RELEASED"},
}
