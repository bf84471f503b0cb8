//! Personal data: which fields hold what kind of it, and what a deployment wants done with each kind.
//!
//! The classes are the schemas' `koine.pii` tags; a test holds that the two agree field for field. Knows neither vendors,
//! nor JSON, nor Avro, nor Kafka.

use super::{
    Account, Address, Attributes, Cart, Component, Customer, Entity, LineItem, Order, Party, Payment, PaymentSession,
    PaymentSetup, Product, SalesAssociate, Shipment, Store, Text,
};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt::Write;

/// A kind of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PiiClass {
    Contact,
    Birth,
    GovernmentId,
    BusinessId,
    Network,
    FreeText,
    Payment,
    /// What no page describes may be anything.
    Undocumented,
}

impl PiiClass {
    pub const ALL: [PiiClass; 8] = [
        PiiClass::Contact,
        PiiClass::Birth,
        PiiClass::GovernmentId,
        PiiClass::BusinessId,
        PiiClass::Network,
        PiiClass::FreeText,
        PiiClass::Payment,
        PiiClass::Undocumented,
    ];

    /// As the schemas' tags have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            PiiClass::Contact => "contact",
            PiiClass::Birth => "birth",
            PiiClass::GovernmentId => "government_id",
            PiiClass::BusinessId => "business_id",
            PiiClass::Network => "network",
            PiiClass::FreeText => "free_text",
            PiiClass::Payment => "payment",
            PiiClass::Undocumented => "undocumented",
        }
    }

    pub fn named(name: &str) -> Option<PiiClass> {
        PiiClass::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

/// What is done with a kind of personal data, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Treatment {
    /// It is published as it is.
    #[default]
    Pass,
    /// A text is replaced by its keyed hash, so that it can still be compared and counted. What is no text is dropped.
    Hash,
    /// It is not published.
    Drop,
}

/// What is done with each kind, and the key of the hashes.
#[derive(Clone)]
pub struct Privacy {
    treatments: [Treatment; PiiClass::ALL.len()],
    key: Hmac<Sha256>,
}

/// Everything is published but what a government numbers people by.
impl Default for Privacy {
    fn default() -> Self {
        Privacy::new(b"").with(PiiClass::GovernmentId, Treatment::Drop)
    }
}

/// Without the key.
impl std::fmt::Debug for Privacy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(PiiClass::ALL.map(|class| (class.as_str(), self.of(class)))).finish()
    }
}

impl Privacy {
    /// Everything passes.
    pub fn new(key: &[u8]) -> Privacy {
        // A key of any length is a key of HMAC.
        let key = Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default()));
        Privacy { treatments: Default::default(), key }
    }

    #[must_use]
    pub fn with(mut self, class: PiiClass, treatment: Treatment) -> Privacy {
        self.treatments[class as usize] = treatment;
        self
    }

    #[inline]
    pub fn of(&self, class: PiiClass) -> Treatment {
        self.treatments[class as usize]
    }

    /// HMAC-SHA-256 of the trimmed text, of an e-mail address in lower case, as hexadecimal digits.
    pub fn hash(&self, text: &str, is_email: bool) -> String {
        let mut mac = self.key.clone();
        match is_email {
            true => mac.update(text.trim().to_lowercase().as_bytes()),
            false => mac.update(text.trim().as_bytes()),
        }
        mac.finalize().into_bytes().iter().fold(String::with_capacity(64), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
    }

    fn text(&self, class: PiiClass, field: &mut Option<Text<'_>>) {
        self.text_or_email(class, field, false);
    }

    fn email(&self, field: &mut Option<Text<'_>>) {
        self.text_or_email(PiiClass::Contact, field, true);
    }

    fn text_or_email(&self, class: PiiClass, field: &mut Option<Text<'_>>, is_email: bool) {
        match (self.of(class), &field) {
            (Treatment::Pass, _) | (_, None) => {}
            (Treatment::Hash, Some(text)) => *field = Some(Text::Owned(self.hash(text, is_email))),
            (Treatment::Drop, _) => *field = None,
        }
    }

    fn value<T>(&self, class: PiiClass, field: &mut Option<T>) {
        if self.of(class) != Treatment::Pass {
            *field = None;
        }
    }

    /// Names stay, as those of fields do.
    fn attributes(&self, attributes: &mut Attributes<'_>) {
        match self.of(PiiClass::Undocumented) {
            Treatment::Pass => {}
            Treatment::Hash => attributes.replace_values(|value| Text::Owned(self.hash(value, false))),
            Treatment::Drop => *attributes = Attributes::default(),
        }
    }
}

/// Has fields with personal data, or what has.
pub trait Personal {
    /// Does with each of them what is to be done with its class.
    fn protect(&mut self, privacy: &Privacy);
}

impl<T: Personal> Personal for Option<T> {
    fn protect(&mut self, privacy: &Privacy) {
        if let Some(it) = self {
            it.protect(privacy);
        }
    }
}

impl<T: Personal> Personal for Vec<T> {
    fn protect(&mut self, privacy: &Privacy) {
        self.iter_mut().for_each(|it| it.protect(privacy));
    }
}

impl Personal for Entity<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        match self {
            Entity::Customer(customer) => customer.protect(privacy),
            Entity::Cart(cart) => cart.protect(privacy),
            Entity::Order(order) => order.protect(privacy),
            Entity::Product(product) => product.protect(privacy),
        }
    }
}

/// Its name is a key that nobody documents.
impl Personal for Component<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        // A name, by which an attribute is found, whose value is hashed.
        if privacy.of(PiiClass::Undocumented) == Treatment::Drop {
            self.name = None;
        }
    }
}

impl Personal for Customer<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        let contact = [
            &mut self.external_id,
            &mut self.phone,
            &mut self.other_phone,
            &mut self.fax,
            &mut self.title,
            &mut self.first_name,
            &mut self.last_name,
            &mut self.alternate_first_name,
            &mut self.alternate_last_name,
            &mut self.company,
        ];
        contact.into_iter().for_each(|field| privacy.text(PiiClass::Contact, field));
        privacy.email(&mut self.email);
        privacy.text(PiiClass::BusinessId, &mut self.business_number);
        privacy.text(PiiClass::BusinessId, &mut self.tax_exemption_id);
        privacy.value(PiiClass::Birth, &mut self.birth_date);
        privacy.value(PiiClass::Birth, &mut self.gender);
        privacy.text(PiiClass::Birth, &mut self.vendor_gender);
        privacy.text(PiiClass::Birth, &mut self.nationality);
        privacy.text(PiiClass::GovernmentId, &mut self.government_id);
        self.addresses.protect(privacy);
        self.default_billing_address.protect(privacy);
        self.default_shipping_address.protect(privacy);
        self.store.protect(privacy);
        self.sales_associate.protect(privacy);
        privacy.attributes(&mut self.attributes);
        self.payment_setups.protect(privacy);
    }
}

impl Personal for Address<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        let contact = [
            &mut self.first_name,
            &mut self.last_name,
            &mut self.full_name,
            &mut self.company,
            &mut self.line1,
            &mut self.line2,
            &mut self.line3,
            &mut self.line4,
            &mut self.city,
            &mut self.postal_code,
            &mut self.phone,
            &mut self.fax,
        ];
        contact.into_iter().for_each(|field| privacy.text(PiiClass::Contact, field));
        privacy.email(&mut self.email);
    }
}

impl Personal for SalesAssociate<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        privacy.text(PiiClass::Contact, &mut self.full_name);
        privacy.email(&mut self.email);
    }
}

impl Personal for PaymentSetup<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        privacy.text(PiiClass::Payment, &mut self.external_id);
        privacy.text(PiiClass::Payment, &mut self.source_id);
    }
}

impl Personal for Party<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        let contact = [&mut self.external_id, &mut self.first_name, &mut self.last_name, &mut self.phone];
        contact.into_iter().for_each(|field| privacy.text(PiiClass::Contact, field));
        privacy.email(&mut self.email);
    }
}

impl Personal for Account<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        privacy.email(&mut self.email);
        privacy.text(PiiClass::Contact, &mut self.phone);
    }
}

impl Personal for Store<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        privacy.attributes(&mut self.cart_types);
    }
}

impl Personal for LineItem<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        privacy.attributes(&mut self.attributes);
    }
}

impl Personal for Cart<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        privacy.text(PiiClass::FreeText, &mut self.name);
        self.customer.protect(privacy);
        self.account.protect(privacy);
        privacy.email(&mut self.email);
        self.store.protect(privacy);
        self.line_items.protect(privacy);
        self.component_item.protect(privacy);
        self.billing_address.protect(privacy);
        self.shipping_address.protect(privacy);
        privacy.text(PiiClass::FreeText, &mut self.note);
        privacy.attributes(&mut self.attributes);
    }
}

impl Personal for Order<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        privacy.text(PiiClass::Network, &mut self.client_ip);
        self.customer.protect(privacy);
        self.account.protect(privacy);
        privacy.email(&mut self.email);
        self.billing_address.protect(privacy);
        self.shipping_addresses.protect(privacy);
        self.line_items.protect(privacy);
        self.shipments.protect(privacy);
        self.payments.protect(privacy);
        self.payment_sessions.protect(privacy);
        privacy.text(PiiClass::FreeText, &mut self.note);
        privacy.text(PiiClass::FreeText, &mut self.public_note);
        self.store.protect(privacy);
        privacy.text(PiiClass::BusinessId, &mut self.tax_exemption_id);
        privacy.attributes(&mut self.attributes);
    }
}

impl Personal for Shipment<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        self.origin_address.protect(privacy);
    }
}

impl Personal for Payment<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        let payment = [
            &mut self.source_id,
            &mut self.source_name,
            &mut self.card_brand,
            &mut self.card_last4,
            &mut self.description,
        ];
        payment.into_iter().for_each(|field| privacy.text(PiiClass::Payment, field));
        privacy.value(PiiClass::Payment, &mut self.card_exp_month);
        privacy.value(PiiClass::Payment, &mut self.card_exp_year);
        privacy.text(PiiClass::Contact, &mut self.card_holder_name);
    }
}

impl Personal for PaymentSession<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        privacy.text(PiiClass::Payment, &mut self.external_id);
        self.payment.protect(privacy);
    }
}

impl Personal for Product<'_> {
    fn protect(&mut self, privacy: &Privacy) {
        privacy.attributes(&mut self.attributes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_rfc_4231s_of_what_people_take_for_the_same() {
        // Test case 2 of RFC 4231.
        let privacy = Privacy::new(b"Jefe");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(privacy.hash("what do ya want for nothing?", false), expected);
        assert_eq!(privacy.hash("  what do ya want for nothing?\n", false), expected);
        assert_eq!(privacy.hash(" Ada@Example.COM ", true), privacy.hash("ada@example.com", false));
        assert_ne!(privacy.hash("Ada", false), privacy.hash("ada", false));
        assert_ne!(privacy.hash("ada", false), Privacy::new(b"other").hash("ada", false));
    }

    #[test]
    fn each_class_goes_its_own_way() {
        let customer = Customer {
            email: Some("Ada@x.org".into()),
            nationality: Some("French".into()),
            gender: Some(super::super::Gender::Female),
            government_id: Some("P1".into()),
            ..Customer::default()
        };
        let with = |class, treatment| {
            let mut customer = customer.clone();
            customer.protect(&Privacy::new(b"key").with(class, treatment));
            customer
        };
        let hashed = with(PiiClass::Contact, Treatment::Hash);
        assert_eq!(hashed.email.as_deref(), Some(&*Privacy::new(b"key").hash("ada@x.org", false)));
        assert_eq!(hashed.nationality, customer.nationality);
        let hashed = with(PiiClass::Birth, Treatment::Hash);
        assert_eq!((hashed.gender, hashed.nationality.map(|text| text.len())), (None, Some(64)));
        assert_eq!(with(PiiClass::Birth, Treatment::Drop).nationality, None);
        let mut by_default = customer.clone();
        by_default.protect(&Privacy::default());
        assert_eq!(by_default, Customer { government_id: None, ..customer.clone() });
    }

    #[test]
    fn a_card_has_fields_of_two_classes_and_a_parcel_comes_from_an_address() {
        let order = Order {
            shipments: vec![Shipment {
                stock_location_name: Some("Depot".into()),
                origin_address: Some(Address { line1: Some("1 Quay".into()), ..Address::default() }),
                ..Shipment::default()
            }],
            payments: vec![Payment {
                card_exp_month: Some(12),
                card_exp_year: Some(2027),
                card_holder_name: Some("Ada".into()),
                ..Payment::default()
            }],
            ..Order::default()
        };
        let without = |class| {
            let mut order = order.clone();
            order.protect(&Privacy::default().with(class, Treatment::Drop));
            (order.shipments.remove(0), order.payments.remove(0))
        };
        let (shipment, payment) = without(PiiClass::Contact);
        assert_eq!(shipment.origin_address, Some(Address::default()));
        assert_eq!((shipment.stock_location_name.as_deref(), payment.card_holder_name), (Some("Depot"), None));
        assert_eq!((payment.card_exp_month, payment.card_exp_year), (Some(12), Some(2027)));
        let (shipment, payment) = without(PiiClass::Payment);
        assert_eq!(shipment, order.shipments[0]);
        assert_eq!((payment.card_exp_month, payment.card_exp_year), (None, None));
        assert_eq!(payment.card_holder_name.as_deref(), Some("Ada"));
        let setup = PaymentSetup { source_id: Some("cc_1".into()), ..PaymentSetup::default() };
        let mut customer = Customer { payment_setups: vec![setup], ..Customer::default() };
        customer.protect(&Privacy::default().with(PiiClass::Payment, Treatment::Drop));
        assert_eq!(customer.payment_setups, [PaymentSetup::default()]);
    }

    #[test]
    fn who_is_bought_for_and_a_sessions_payment_are_protected_too() {
        let account = Account {
            name: Some("Acme".into()),
            email: Some("a@acme.example".into()),
            phone: Some("1".into()),
            ..Account::default()
        };
        let payment = Payment { card_last4: Some("1111".into()), ..Payment::default() };
        let order = Order {
            account: Some(account.clone()),
            payment_sessions: vec![PaymentSession { payment: Some(payment), ..PaymentSession::default() }],
            ..Order::default()
        };
        let cart = Cart { account: Some(account), ..Cart::default() };
        let privacy = Privacy::default().with(PiiClass::Contact, Treatment::Drop);
        let privacy = privacy.with(PiiClass::Payment, Treatment::Drop);
        let (mut order, mut cart) = (order, cart);
        order.protect(&privacy);
        cart.protect(&privacy);
        let nameless = Account { name: Some("Acme".into()), ..Account::default() };
        assert_eq!((order.account, cart.account), (Some(nameless.clone()), Some(nameless)));
        assert_eq!(order.payment_sessions[0].payment, Some(Payment::default()));
    }

    #[test]
    fn a_class_has_the_name_of_its_tag() {
        for class in PiiClass::ALL {
            assert_eq!(PiiClass::named(class.as_str()), Some(class));
        }
        assert_eq!(PiiClass::named("nothing"), None);
    }
}
