"""The corpora: webhooks of the four vendors as their published pages describe them (Spree 5.4's order.completed, Composer's
ORDER_RELEASED, Bold's saved order, BSPK's cart.created), drawn from a seed: the same on every machine. What a page elides is completed after
the same vendor's own description of the object. It knows nothing of koine.

    bench/corpus.py VENDOR COUNT      one a line: key, tab, JSON
"""
import json
import random
import sys
import uuid
from itertools import cycle, islice

SEED = 20261122
# A topic with more records holds the first ones several times.
DISTINCT = 60_000
R = random.Random()
below = R.randrange
pick = R.choice

FIRST = (
    "Ava Liam Noah Emma Zoë Lucas Mia José Chloé Björn Sofia Mateo Hana Yuki Omar Leila Ivan Anya Pedro Inês Søren Maja Kofi "
    "Ama Wei Lin Raj Priya John Jane Éloïse François Günther Łukasz Siobhán Niamh Dmitri Olga Carlos María"
).split(" ")
LAST = (
    "Smith Johnson Müller Dubois García Rossi Novák Kowalski Jensen Andersson O'Brien Nakamura Tanaka Kim Nguyen Patel Singh "
    "Silva Santos Ferreira Lefèvre Moreau Weiß Schäfer Ivanov Petrov Okafor Mensah Haddad Cohen Yılmaz Papadopoulos Virtanen "
    "Hansen de\u00a0Vries Brown Wilson Taylor"
).split(" ")
STREET = (
    "Main St|Oak Avenue|Maple Drive|Rue de Rivoli|Hauptstraße|Calle Mayor|King's Road|Liberty Street|N Park Ave|Elm Court|"
    "Sunset Blvd|High Street|Via Roma|Avenida Paulista|Queen St W"
).split("|")
CITY = [
    ("New York", "NY", "New York", "US", "United States", "100%02d"),
    ("Austin", "TX", "Texas", "US", "United States", "787%02d"),
    ("San Francisco", "CA", "California", "US", "United States", "941%02d"),
    ("Toronto", "ON", "Ontario", "CA", "Canada", "M5V %dK"),
    ("Paris", "75", "Île-de-France", "FR", "France", "750%02d"),
    ("München", "BY", "Bayern", "DE", "Germany", "803%02d"),
    ("Madrid", "M", "Madrid", "ES", "Spain", "280%02d"),
    ("London", "LND", "London", "GB", "United Kingdom", "SW%dA 1AA"),
    ("São Paulo", "SP", "São Paulo", "BR", "Brazil", "013%02d-000"),
    ("Chicago", "IL", "Illinois", "US", "United States", "606%02d"),
]
ADJ = (
    "Classic Organic Merino Leather Vintage Slim Oversized Ribbed Waxed Recycled Linen Quilted Canvas Brushed Striped "
    "Cable-Knit Fitted Cropped Relaxed Padded"
).split(" ")
NOUN = (
    "Tote Bag|T-Shirt|Hoodie|Crew Socks|Denim Jacket|Chino Trousers|Running Shoes|Water Bottle|Backpack|Beanie|Scarf|Belt|"
    "Sneakers|Polo Shirt|Wallet|Rain Coat|Sweater|Yoga Mat|Duffel Bag|Phone Case"
).split("|")
SIZE = [("XS", "Extra Small"), ("S", "Small"), ("M", "Medium"), ("L", "Large"), ("XL", "Extra Large")]
COLOR = "Black White Navy Olive Burgundy Sand Charcoal Teal Mustard Ecru".split()
DOMAIN = "example.com example.org mail.example.net shop.example.io post.example.de".split()
CURRENCY = [("USD", "$"), ("USD", "$"), ("USD", "$"), ("EUR", "€"), ("GBP", "£"), ("CAD", "CA$")]
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
NOTE = [
    "Please leave at the back door",
    "Gift - no invoice in the parcel, please!",
    'Ring the bell "twice"\nthen wait',
    "Entregar por la mañana",
    "Call +1 555 0100 on arrival\tthanks",
    "送り状なしでお願いします",
]


def chance(share):
    return R.random() < share


def prefixed(pre, n=10):
    return pre + "_" + "".join(R.choices(ALPHABET, k=n))


def hexadecimal(n):
    return "%0*x" % (n, R.getrandbits(n * 4))


def new_uuid():
    return str(uuid.UUID(int=R.getrandbits(128), version=4))


def money(c):
    return "%s%d.%02d" % ("-" if c < 0 else "", abs(c) // 100, abs(c) % 100)


def shown(c, s):
    v = abs(c)
    return "%s%s%s.%02d" % ("-" if c < 0 else "", s, format(v // 100, ","), v % 100)


DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]


def when():
    m = below(12)
    return [2025 + below(2), m + 1, 1 + below(DAYS[m]), below(22), below(60), below(60)]


def iso(t, dmin=0, frac=False):
    y, mo, d, h, mi, s = t
    mi += dmin
    h += mi // 60
    mi %= 60
    return "%04d-%02d-%02dT%02d:%02d:%02d%sZ" % (y, mo, d, h, mi, s, ".%03d" % below(1000) if frac else "")


def person():
    f, l = pick(FIRST), pick(LAST)
    asc = "".join(c for c in (f + "." + l).lower() if c.isascii() and (c.isalnum() or c == "."))
    return f, l, "%s%d@%s" % (asc, below(100000), pick(DOMAIN)), "+1 %03d-%03d-%04d" % (200 + below(700), 200 + below(700), below(10000))


def place():
    c = pick(CITY)
    return (
        c,
        "%d %s" % (1 + below(9999), pick(STREET)),
        (None if chance(0.6) else "Apt. #%d" % (1 + below(400))),
        c[5] % below(100 if "02" in c[5] else 10),
    )


def product():
    name = "%s %s" % (pick(ADJ), pick(NOUN))
    return name, name.lower().replace(" ", "-")


def spree_address(who, pl, ship):
    f, l, _, ph = who
    c, a1, a2, z = pl
    return {
        "id": prefixed("addr"),
        "first_name": f,
        "last_name": l,
        "full_name": f + " " + l,
        "address1": a1,
        "address2": a2,
        "postal_code": z,
        "city": c[0],
        "phone": ph,
        "company": None if chance(0.75) else pick(LAST) + " & Co.",
        "country_name": c[4],
        "country_iso": c[3],
        "state_text": c[1],
        "state_abbr": c[1],
        "state_name": c[2],
        "quick_checkout": chance(0.1),
        "is_default_billing": not ship,
        "is_default_shipping": ship,
    }


def spree(i):
    cur, sym = pick(CURRENCY)
    who = person()
    pl = place()
    t = when()
    n = (2, 3, 3, 3, 4)[below(5)]
    items, tot, tax, promo, cnt = [], 0, 0, 0, 0
    for _ in range(n):
        name, slug = product()
        sz, co = pick(SIZE), pick(COLOR)
        q = 1 + (below(4) if chance(0.3) else 0)
        pr = 499 + below(25000)
        lt = pr * q
        dsc = 0 if chance(0.7) else -(lt * (5 + below(25)) // 100)
        tx = (lt + dsc) * (0, 4, 8, 20)[below(4)] // 100
        cmp_ = None if chance(0.7) else pr + 500 + below(3000)
        tot += lt
        tax += tx
        promo += dsc
        cnt += q
        items.append(
            {
                "id": prefixed("li"),
                "variant_id": prefixed("var"),
                "quantity": q,
                "currency": cur,
                "name": name,
                "slug": slug,
                "options_text": "Size: %s, Color: %s" % (sz[0], co),
                "price": money(pr),
                "display_price": shown(pr, sym),
                "total": money(lt + dsc + tx),
                "display_total": shown(lt + dsc + tx, sym),
                "adjustment_total": money(dsc + tx),
                "display_adjustment_total": shown(dsc + tx, sym),
                "additional_tax_total": money(tx),
                "display_additional_tax_total": shown(tx, sym),
                "included_tax_total": "0.00",
                "display_included_tax_total": sym + "0.00",
                "promo_total": money(dsc),
                "display_promo_total": shown(dsc, sym),
                "pre_tax_amount": money(lt + dsc),
                "display_pre_tax_amount": shown(lt + dsc, sym),
                "discounted_amount": money(lt + dsc),
                "display_discounted_amount": shown(lt + dsc, sym),
                "compare_at_amount": None if cmp_ is None else money(cmp_),
                "display_compare_at_amount": None if cmp_ is None else shown(cmp_, sym),
                "thumbnail_url": None if chance(0.05) else "https://cdn.example.com/images/%s/%s.jpg" % (hexadecimal(12), slug),
                "created_at": iso(t, 0),
                "updated_at": iso(t, 5),
                "option_values": [
                    {"id": prefixed("ov"), "name": sz[0], "presentation": sz[1]},
                    {"id": prefixed("ov"), "name": co, "presentation": co},
                ],
                "digital_links": [],
            }
        )
    sc = (0, 500, 1000, 1499)[below(4)]
    total = tot + tax + promo + sc
    shipped = chance(0.5)
    trk = "1Z" + "%016d" % R.getrandbits(53)
    pm = prefixed("pm")
    card = chance(0.85)
    st = pick(["complete"] * 17 + ["canceled", "returned", "resumed"])
    src_id = prefixed("cc" if card else "ps")
    src = (
        {
            "id": src_id,
            "brand": pick(["visa", "master", "american_express"]),
            "last4": "%04d" % below(10000),
            "month": 1 + below(12),
            "year": 2026 + below(6),
            "name": who[0] + " " + who[1],
            "default": chance(0.5),
            "gateway_payment_profile_id": "pm_" + hexadecimal(24),
        }
        if card
        else {"id": src_id, "name": None, "gateway_payment_profile_id": "ps_" + hexadecimal(24)}
    )
    meth = {
        "id": pm,
        "name": "Credit Card" if card else "PayPal",
        "description": None,
        "type": "stripe" if card else "paypal_checkout",
        "session_required": True,
        "source_required": card,
    }
    rate = {
        "id": prefixed("sr"),
        "name": "UPS Ground (%s)" % cur,
        "selected": True,
        "cost": money(sc),
        "display_cost": shown(sc, sym),
        "shipping_method_id": prefixed("sm"),
    }
    bill = spree_address(who, pl, False)
    ship = spree_address(who if chance(0.8) else person(), pl if chance(0.7) else place(), True)
    oid = prefixed("or")
    d = {
        "id": oid,
        "number": "R%09d" % below(10**9),
        "state": st,
        "token": hexadecimal(32),
        "email": who[2],
        "special_instructions": None if chance(0.85) else pick(NOTE),
        "currency": cur,
        "item_count": cnt,
        "shipment_state": pick(["shipped", "ready", "pending", "partial", None]),
        "payment_state": pick(["paid", "paid", "paid", "balance_due", "credit_owed"]),
    }
    for k, v in (
        ("item_total", tot),
        ("ship_total", sc),
        ("adjustment_total", promo + tax),
        ("promo_total", promo),
        ("tax_total", tax),
        ("included_tax_total", 0),
        ("additional_tax_total", tax),
        ("total", total),
    ):
        d[k] = money(v)
        d["display_" + k] = shown(v, sym)
    d.update(
        {
            "completed_at": None if chance(0.02) else iso(t, 30, True),
            "created_at": iso(t, 0, True),
            "updated_at": iso(t, 31, True),
            "promotions": []
            if promo == 0
            else [
                {
                    "id": prefixed("promo"),
                    "name": "Summer Sale",
                    "description": None,
                    "code": "SAVE%d" % below(1000),
                    "amount": money(promo),
                    "display_amount": shown(promo, sym),
                }
            ],
            "items": items,
            "shipments": [
                {
                    "id": prefixed("shp"),
                    "number": "H%011d" % below(10**11),
                    "state": "shipped" if shipped else "pending",
                    "tracking": trk if shipped else None,
                    "tracking_url": "https://tools.usps.com/go/TrackConfirmAction?tLabels=" + trk if shipped else None,
                    "cost": money(sc),
                    "display_cost": shown(sc, sym),
                    "shipped_at": iso(t, 90) if shipped else None,
                    "created_at": iso(t, 30),
                    "updated_at": iso(t, 90),
                    "shipping_method": {"id": rate["shipping_method_id"], "name": "UPS Ground", "code": "UPS_GROUND"},
                    "stock_location": {
                        "id": prefixed("sloc"),
                        "name": "East Coast Warehouse",
                        "address1": "1 Depot Way",
                        "city": "Newark",
                        "zipcode": "07102",
                        "country_iso": "US",
                        "country_name": "United States",
                        "state_text": "NJ",
                    },
                    "shipping_rates": [rate],
                }
            ],
            "payments": [
                {
                    "id": prefixed("pay"),
                    "state": "completed" if chance(0.9) else "pending",
                    "number": "P" + hexadecimal(7).upper(),
                    "amount": money(total),
                    "display_amount": shown(total, sym),
                    "response_code": None if chance(0.05) else "ch_" + hexadecimal(24),
                    "payment_method_id": pm,
                    "source_type": "credit_card" if card else "payment_source",
                    "source_id": src_id,
                    "source": src,
                    "payment_method": meth,
                    "created_at": iso(t, 25),
                    "updated_at": iso(t, 26),
                }
            ],
            "bill_address": bill,
            "ship_address": ship,
            "payment_methods": [meth],
        }
    )
    return oid, {
        "id": new_uuid(),
        "name": "order.completed",
        "created_at": iso(t, 31, True),
        "data": d,
        "metadata": {"spree_version": pick(["5.4.0", "5.4.0", "5.4.1"])},
    }


def attr(key, loc, name, val):
    return {
        "customData": {},
        "stringValue": str(val).lower() if isinstance(val, bool) else val,
        "value": val,
        "attribute": {"customData": {}, "key": key, "localized": False, "displayNames": {"en": name}},
    }


def composer(i):
    who = person()
    c, a1, a2, z = place()
    cur = pick(["CAD", "EUR"])
    num = str(20001 + i)
    ms = 1723587437760 + below(60 * 10**9)
    store = {
        "customData": {},
        "code": "MOBEE",
        "name": "Mobee",
        "timeZone": "Europe/London",
        "catalog": {"customData": {}, "code": "Mobile"},
        "defaultCurrency": "CAD",
        "defaultLocale": "en",
        "cartTypes": [
            {
                "customData": {},
                "name": "SHOPPING_CART",
                "modifierGroups": [
                    {
                        "customData": {},
                        "modifierFields": [
                            {
                                "customData": {},
                                "code": "name",
                                "required": True,
                                "maxSize": 255,
                                "modifierType": "SHORT_TEXT",
                                "modifierFieldOptions": [],
                            }
                        ],
                    }
                ],
            }
        ],
        "supportedCurrencies": ["EUR", "CAD"],
        "supportedLocales": ["fr_CA", "fr", "en"],
    }
    at = {
        "CP_PREF_LOCALE": attr("CP_PREF_LOCALE", False, "Preferred Locale", "en"),
        "CP_BE_NOTIFIED": attr("CP_BE_NOTIFIED", False, "Be notified of News", chance(0.5)),
        "CP_EMAIL": attr("CP_EMAIL", False, "Email", who[2]),
        "CP_PHONE": attr("CP_PHONE", False, "Phone Number", who[3]),
        "CP_LAST_NAME": attr("CP_LAST_NAME", False, "Last Name", who[1]),
        "CP_FIRST_NAME": attr("CP_FIRST_NAME", False, "First Name", who[0]),
    }
    its, sub, tx = [], 0, 0
    for _ in range(1 + below(2)):
        name, slug = product()
        q = 1 + below(3)
        lp = 999 + below(20000)
        sp = lp - below(500)
        am = sp * q
        t = am * 4 // 100
        sub += am
        tx += t
        its.append(
            {
                "customData": {},
                "guid": new_uuid(),
                "productSku": {
                    "customData": {},
                    "code": slug.replace("-", "_") + "_sku",
                    "displayNames": {},
                    "optionValues": [],
                    "attributeValues": {},
                    "effectiveStartDate": 1395431340,
                    "effectiveEndDate": None,
                    "shippable": chance(0.5),
                },
                "quantity": q,
                "listUnitPrice": lp / 100,
                "saleUnitPrice": sp / 100,
                "promoUnitPrice": sp / 100,
                "unitPrice": sp / 100,
                "discountAmount": 0,
                "taxAmount": t / 100,
                "amount": am / 100,
                "displayName": name,
                "modifierFields": {},
                "children": [],
                "taxLines": [
                    {
                        "customData": {},
                        "jurisdictionId": "US",
                        "regionId": c[1],
                        "taxName": "States Sales Tax",
                        "taxCode": "GOODS",
                        "taxAmount": t / 100,
                        "taxRate": 0.04,
                        "taxCalculationDate": ms + 2199,
                    }
                ],
                "inventoryAllocated": True,
                "savings": (lp - sp) * q / 100,
            }
        )
    pi = {
        "customData": {},
        "billingAddress": None,
        "billingContact": None,
        "name": "a",
        "paymentInstrumentData": {},
        "paymentProviderConfiguration": {
            "customData": {},
            "guid": "smart-path-payment-provider-config",
            "paymentProviderPluginId": "smartPathPaymentProviderPlugin",
            "configurationName": "Smart Path Config",
            "defaultDisplayName": None,
        },
        "singleReservePerPI": False,
        "supportingMultiCharges": False,
    }
    tot = (sub + tx) / 100
    pays = [
        {
            "customData": {},
            "guid": new_uuid(),
            "transactionDate": ms + d,
            "paymentTransactionType": k,
            "status": "APPROVED",
            "amount": tot,
            "currency": cur,
            "paymentInstrument": pi,
            "paymentData": {},
        }
        for d, k in ((2313, "CHARGE"), (68, "RESERVE"))
    ]
    o = {
        "customData": {},
        "orderNumber": num,
        "createdDate": ms,
        "locale": "en",
        "currency": cur,
        "status": "COMPLETED",
        "store": store,
        "account": None,
        "customer": {
            "customData": {},
            "guid": new_uuid().upper(),
            "sharedId": "MOBEE:" + who[2].upper(),
            "email": who[2],
            "status": "STATUS_ACTIVE",
            "type": "REGISTERED_USER",
            "attributeValues": {"": at},
            "segments": ["PUBLIC"],
            "firstTimeBuyer": chance(0.3),
        },
        "lineItems": its,
        "shipments": [
            {
                "customData": {},
                "shipmentNumber": num + "-1",
                "shipmentType": "ELECTRONIC",
                "status": "SHIPPED",
                "shippingInfo": None,
                "lineItems": its,
                "itemSubtotal": sub / 100,
                "subtotalDiscount": 0,
                "itemTax": tx / 100,
                "taxCalculationMethod": "EXCLUSIVE_TAX",
                "taxDocumentId": num + "-1." + new_uuid(),
                "totalTaxLines": [
                    {"customData": {}, "taxCategoryName": "States Sales Tax", "taxCategoryDisplayName": "States Sales Tax", "amount": tx / 100}
                ],
                "shippingCost": None,
                "totalBeforeTax": sub / 100,
                "shippingTax": None,
                "total": tot,
                "taxInclusive": False,
            }
        ],
        "billingAddress": {
            "customData": {},
            "street1": a1,
            "street2": a2,
            "street3": None,
            "city": c[0],
            "country": c[3],
            "subCountry": c[1],
            "zipOrPostalCode": z,
        },
        "billingContact": {"customData": {}, "firstName": who[0], "lastName": who[1], "organization": None, "phoneNumber": who[3], "faxNumber": None},
        "modifierFields": {"name": "default"},
        "subtotal": sub / 100,
        "shipping": 0,
        "taxes": tx / 100,
        "total": tot,
        "payments": pays,
        "taxExemptionId": None,
        "orderPaymentInstruments": [{"customData": {}, "guid": new_uuid(), "name": "a", "paymentInstrument": pi, "currency": cur, "limitAmount": 0}],
        "hasSubtotalDiscount": False,
        "holds": [],
    }
    return num, {"eventType": "ORDER_RELEASED", "contextObject": {"customData": {}, "order": o}}


def bold_address(who, pl):
    c, a1, a2, z = pl
    return {
        "first_name": who[0],
        "last_name": who[1],
        "company": "",
        "email": who[2],
        "phone": who[3],
        "street_1": a1,
        "street_2": a2 or "",
        "city": c[0],
        "province": c[2],
        "province_code": c[1],
        "country": c[4],
        "country_code": c[3],
        "postal_code": z,
        "type": "residential",
    }


def bold(i):
    who = person()
    pl = place()
    t = when()
    cur = pick(CURRENCY)[0]
    its, sub, tx = [], 0, 0
    for k in range(2 + below(3)):
        name, slug = product()
        q = 1 + below(3)
        pr = 499 + below(20000)
        st = pr * q
        tt = st * 8 // 100
        sub += st
        tx += tt
        its.append(
            {
                "platform_id": str(10**6 + below(10**7)),
                "platform_product_id": str(below(10**6)),
                "platform_variant_id": str(below(10**6)),
                "sku": "SKU-%06d" % below(10**6),
                "title": name,
                "quantity": q,
                "price": money(pr),
                "total_tax": money(tt),
                "subtotal": money(st),
                "total": money(st + tt),
                "weight": below(3000),
                "weight_unit": "g",
                "grams": below(3000),
                "requires_shipping": True,
                "taxable": True,
                "barcode": "%013d" % below(10**13),
                "image_url": "https://cdn.example.com/p/%s.png" % slug,
                "fulfillment_status": "pending",
                "taxes": [{"name": "VAT", "rate": "0.0800", "amount": money(tt)}],
                "properties": {"gift_wrap": pick(["no", "yes"])},
            }
        )
    oid = str(10**8 + below(10**8))
    sh = (0, 500, 1299)[below(3)]
    tot = sub + tx + sh
    o = {
        "platform_id": oid,
        "platform_updated_at": iso(t, 9),
        "shipping_addresses": [bold_address(who, pl)],
        "billing_address": bold_address(who, pl),
        "line_items": its,
        "payments": [
            {
                "platform_id": str(below(10**8)),
                "gateway": pick(["stripe", "braintree"]),
                "type": "credit_card",
                "amount": money(tot),
                "currency": cur,
                "status": "paid",
                "reference_transaction_id": "txn_" + hexadecimal(20),
                "brand": "visa",
                "last_four": "%04d" % below(10000),
                "processed_at": iso(t, 1),
            }
        ],
        "order_number": str(1000 + i),
        "platform_customer_id": str(below(10**7)),
        "platform_friendly_id": "#" + str(1000 + i),
        "shipping_method": "Ground",
        "shipping_code": "GND",
        "browser_ip": "203.0.113.%d" % below(255),
        "source": "bold_checkout",
        "created_via": "checkout",
        "locale": "en_US",
        "test": False,
        "notes": "" if chance(0.8) else pick(NOTE),
        "public_notes": "",
        "metadata": {"cart_id": hexadecimal(16)},
        "shipping_subtotal": money(sh),
        "shipping_tax": "0.00",
        "shipping_taxes": [],
        "discount": "0",
        "discounts": [],
        "subtotal": money(sub),
        "subtotal_tax": money(tx),
        "total_tax": money(tx),
        "total": money(tot),
        "refunded_amount": "0.00",
        "currency": cur,
        "order_status": "active",
        "fulfillment_status": "pending",
        "financial_status": "paid",
        "placed_at": iso(t),
    }
    return oid, {"data": {"order": o}}


def bspk(i):
    who = person()
    t = when()
    return str(456 + i), {
        "event_name": "cart.created",
        "object": {
            "id": 456 + i,
            "cart_type": pick(["wishlist", "cart"]),
            "shopper": {"ref": "C-%d" % below(10**6), "first_name": who[0], "last_name": who[1], "email": who[2], "mobile_phone": who[3]},
            "line_items": [
                {"id": 10 * i + k, "product_variant": {"sku": "SKU-%05d" % below(10**5), "name": product()[0]}, "quantity": 1 + below(3)}
                for k in range(1 + below(5))
            ],
            "created_at": iso(t),
            "updated_at": iso(t),
        },
    }


MAKERS = {"spree": spree, "composer": composer, "bold": bold, "bspk": bspk}
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def drawn(vendor, count):
    """(key, body) of the first `count` webhooks."""
    R.seed(f"{SEED}-{vendor}")
    for i in range(count):
        key, webhook = MAKERS[vendor](i)
        yield key.encode(), encode(webhook).encode()


def kept(vendor, count, folder):
    """The file with at least the first `count` webhooks, which is made if there is none."""
    for path in folder.glob(f"{vendor}-*.tsv"):
        if int(path.stem.split("-")[1]) >= count:
            return path
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{vendor}.part"
    with open(part, "wb") as file:
        for key, body in drawn(vendor, count):
            file.write(key + b"\t" + body + b"\n")
    return part.rename(folder / f"{vendor}-{count}.tsv")


def records(vendor, count, folder):
    """(key, body) of `count` webhooks."""
    distinct = min(count, DISTINCT)
    with open(kept(vendor, distinct, folder), "rb") as file:
        lines = [line.rstrip(b"\n").split(b"\t", 1) for line in islice(file, distinct)]
    return islice(cycle(lines), count)


def cart(size):
    """A BSPK cart of about `size` bytes, from 200 up: it has as many line items as fit."""
    document = {"event_name": "cart.created", "object": {"id": 1, "cart_type": "cart", "shopper": {"ref": "C-1"}, "line_items": [],
                                                         "created_at": "2026-01-15T10:00:00Z", "updated_at": "2026-01-15T10:00:00Z"}}
    item = {"id": 1_000_000, "product_variant": {"sku": "SKU-00000", "name": "Classic Tote Bag"}, "quantity": 1}
    room = size - len(encode(document))
    each = len(encode(item)) + 1
    document["object"]["line_items"] = [item | {"id": item["id"] + n} for n in range(room // each)]
    return encode(document).encode()


if __name__ == "__main__":
    for key, body in drawn(sys.argv[1], int(sys.argv[2])):
        print(key.decode(), body.decode(), sep="\t")
