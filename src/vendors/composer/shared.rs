//! What Composer's customers, carts and orders have in common: attribute values, people, places, stores and lines.
//! Knows nothing of events.

use super::super::add_attribute;
use super::super::cursor::{Element, Keys, Node};
use crate::canonical::{
    Account, Address, Attributes, Consent, CustomerStatus, CustomerType, Date, Party, Store, Text, forms,
};
use crate::reject::Reject;

/// The attribute values of a person or an account: `{locale: {key: {stringValue, value, attribute}}}`.
///
/// The definition (`attribute`) is passed over as far as it says again what the place says: under which key a value
/// stands, and whether under a locale. Its labels say the key again for people.
#[derive(Clone, Copy)]
pub struct Profile<'a> {
    by_locale: Node<'a>,
    /// Of what has no locale: the empty string is a key like another.
    root: Node<'a>,
}

impl<'a> Profile<'a> {
    pub fn of(customer: Node<'a>) -> Result<Profile<'a>, Reject> {
        let by_locale = customer.child("attributeValues")?;
        Ok(Profile { by_locale, root: by_locale.child("")? })
    }

    /// An attribute as text, whatever its type.
    pub fn text(self, keys: impl Keys) -> Result<Option<Text<'a>>, Reject> {
        value_text(self.find(keys)?)
    }

    /// An attribute in a form that people group by; what cannot be converted stays unread.
    pub fn form(
        self,
        key: &'static str,
        convert: impl FnOnce(&str) -> Option<Text<'_>>,
    ) -> Result<Option<Text<'a>>, Reject> {
        let attribute = self.find(key)?;
        if !attribute.value("value")?.is_text() {
            return attribute.form("stringValue", convert);
        }
        let form = attribute.form("value", convert)?;
        if form.is_some() {
            attribute.repeats("stringValue", attribute.text("value")?.as_deref())?;
        }
        Ok(form)
    }

    /// An attribute that is yes or no; another text stays unread.
    pub fn flag(self, key: &'static str) -> Result<Option<bool>, Reject> {
        let attribute = self.find(key)?;
        if attribute.value("value")?.is_boolean() {
            let flag = attribute.boolean("value")?;
            attribute.repeats("stringValue", flag.map(|flag| if flag { "true" } else { "false" }))?;
            return Ok(flag);
        }
        let word = self.form(key, |text| matches!(text, "true" | "false").then_some(Text::Borrowed(text)))?;
        Ok(word.map(|word| word == "true"))
    }

    /// An attribute that is a calendar day. No document says how days are printed, so what is none stays unread.
    pub fn date(self, key: &'static str) -> Result<Option<Date>, Reject> {
        let day = self.form(key, |text| Date::parse(text).map(|_| Text::Borrowed(text)))?;
        Ok(day.and_then(|day| Date::parse(&day)))
    }

    /// Passes over an attribute that only repeats what was read elsewhere.
    pub fn repeats(self, key: &'static str, mapped: &str) -> Result<(), Reject> {
        let attribute = self.find(key)?;
        attribute.repeats("value", Some(mapped))?;
        attribute.repeats("stringValue", Some(mapped))
    }

    /// The attributes whose key `is_known` does not know. Of one that stands under several locales, the one without a
    /// locale, else the first.
    pub fn others(self, is_known: impl Fn(&str) -> bool) -> Result<Attributes<'a>, Reject> {
        let mut attributes = Attributes::default();
        for (locale, values) in self.places()? {
            for (key, attribute) in values.entries()?.filter(|(key, it)| !is_known(key) && it.is_object()) {
                let value = attribute.value("value")?;
                let text = attribute.value("stringValue")?;
                let best = if is_scalar(value) || text.is_nowhere() { value } else { text };
                if add_attribute(&mut attributes, Text::Borrowed(key), best)? {
                    pass_over_definition(attribute, key, locale)?;
                } else if attribute.is_dropped_as(key) {
                    // What else says so would say it again.
                    attribute.skip();
                }
                attribute.repeats("stringValue", attributes.get(key))?;
            }
        }
        Ok(attributes)
    }

    /// Where an attribute stands: without a locale, else under the first locale that has it.
    fn find(self, keys: impl Keys) -> Result<Node<'a>, Reject> {
        for (locale, values) in self.places()? {
            let found = values.child(keys)?;
            if let Some(key) = keys.first(|key| values.has(key).then_some(key)).filter(|_| !found.is_nowhere()) {
                pass_over_definition(found, key, locale)?;
                return Ok(found);
            }
        }
        self.root.child(keys)
    }

    /// The maps by key with their locales, that without a locale first.
    fn places(self) -> Result<impl Iterator<Item = (&'a str, Node<'a>)>, Reject> {
        let of_locales = self.by_locale.entries()?.filter(|(locale, _)| !locale.is_empty());
        Ok([("", self.root)].into_iter().chain(of_locales).filter(|(_, values)| values.is_object()))
    }
}

fn pass_over_definition(attribute: Node<'_>, key: &str, locale: &str) -> Result<(), Reject> {
    let definition = attribute.value("attribute")?;
    if definition.is_object() {
        definition.repeats("key", Some(key))?;
        definition.repeats("localized", Some(if locale.is_empty() { "false" } else { "true" }))?;
    }
    Ok(())
}

/// `value` is typed, `stringValue` the same as text. Where `value` is no scalar its shape is not documented.
fn value_text<'a>(attribute: Node<'a>) -> Result<Option<Text<'a>>, Reject> {
    let value = attribute.value("value")?;
    if !is_scalar(value) {
        return attribute.text("stringValue");
    }
    let text = value.read_leaf_text()?;
    attribute.repeats("stringValue", text.as_deref())?;
    Ok(text)
}

fn is_scalar(value: Node<'_>) -> bool {
    !value.is_nowhere() && !value.is_object() && !value.is_list()
}

/// The shop's own notes on a cart, an order or a line, but for the one that has a field of its own.
pub fn modifiers<'a>(owner: Node<'a>, but: Option<&str>) -> Result<Attributes<'a>, Reject> {
    let mut attributes = Attributes::default();
    for (key, value) in owner.child("modifierFields")?.entries()?.filter(|(key, _)| but != Some(key)) {
        add_attribute(&mut attributes, Text::Borrowed(key), value)?;
    }
    Ok(attributes)
}

pub fn customer_type(word: &str) -> Option<CustomerType> {
    Some(match word {
        "REGISTERED_USER" => CustomerType::Person,
        "SINGLE_SESSION_USER" => CustomerType::Guest,
        "ACCOUNT" => CustomerType::Account,
        _ => return None,
    })
}

/// Others exist, but no document names them.
pub fn customer_status(word: &str) -> Option<CustomerStatus> {
    (word == "STATUS_ACTIVE").then_some(CustomerStatus::Active)
}

/// `email` where it is there, else the attribute.
pub fn email<'a>(customer: Node<'a>, profile: Profile<'a>) -> Result<Option<Text<'a>>, Reject> {
    let Some(email) = customer.text("email")? else { return profile.text("CP_EMAIL") };
    profile.repeats("CP_EMAIL", &email)?;
    Ok(Some(email))
}

/// The one that the page names.
pub fn consents<'a>(profile: Profile<'a>) -> Result<Vec<Consent<'a>>, Reject> {
    let by_email = |granted| Consent {
        channel: Some(Text::Borrowed("email")),
        granted: Some(granted),
        purpose: None,
        verified_at: None,
        created_at: None,
    };
    Ok(profile.flag("CP_BE_NOTIFIED")?.map(by_email).into_iter().collect())
}

/// The customer as every cart and order has it.
pub fn party<'a>(customer: Node<'a>) -> Result<Party<'a>, Reject> {
    let profile = Profile::of(customer)?;
    let (r#type, vendor_type) = customer.word("type", customer_type, CustomerType::Unknown)?;
    let (status, vendor_status) = customer.word("status", customer_status, CustomerStatus::Unknown)?;
    Ok(Party {
        id: customer.id("guid")?,
        external_id: customer.id("sharedId")?,
        r#type,
        vendor_type,
        status,
        vendor_status,
        email: email(customer, profile)?,
        first_name: profile.text("CP_FIRST_NAME")?,
        last_name: profile.text("CP_LAST_NAME")?,
        phone: profile.text("CP_PHONE")?,
        locale: profile.form("CP_PREF_LOCALE", forms::locale)?,
        segments: customer.texts("segments")?,
        first_time_buyer: customer.boolean("firstTimeBuyer")?,
        consents: consents(profile)?,
    })
}

/// The organization bought for: a customer of type `ACCOUNT`.
pub fn account<'a>(account: Node<'a>) -> Result<Account<'a>, Reject> {
    let profile = Profile::of(account)?;
    let (r#type, vendor_type) = account.word("type", customer_type, CustomerType::Unknown)?;
    let (status, vendor_status) = account.word("status", customer_status, CustomerStatus::Unknown)?;
    Ok(Account {
        id: account.id("guid")?,
        external_id: account.id("sharedId")?,
        name: profile.text("AP_NAME")?,
        r#type,
        vendor_type,
        status,
        vendor_status,
        email: account.text("email")?,
        phone: profile.text("AP_PHONE")?,
        segments: account.texts("segments")?,
        first_time_buyer: account.boolean("firstTimeBuyer")?,
    })
}

pub fn store<'a>(store: Node<'a>) -> Result<Store<'a>, Reject> {
    Ok(Store {
        id: store.id("code")?,
        external_id_2: None,
        name: store.text("name")?,
        country_code: None,
        time_zone: store.text("timeZone")?,
        catalog: store.child("catalog")?.text("code")?,
        default_currency: store.form("defaultCurrency", forms::currency)?,
        default_locale: store.form("defaultLocale", forms::locale)?,
        supported_currencies: store.forms("supportedCurrencies", forms::currency)?,
        supported_locales: store.forms("supportedLocales", forms::locale)?,
        cart_types: cart_types(store)?,
    })
}

/// How the store is set up. The second of two with one name, and one without a name, is left over.
fn cart_types<'a>(store: Node<'a>) -> Result<Attributes<'a>, Reject> {
    let mut types = Attributes::default();
    store.list("cartTypes", |cart_type| {
        if let Some(name) = cart_type.look("name")?
            && add_attribute(&mut types, name, cart_type.value("modifierGroups")?)?
        {
            cart_type.text("name")?;
        }
        Ok(())
    })?;
    Ok(types)
}

/// A place, and whom to find there: Composer has them apart.
pub fn address<'a>(address: Node<'a>, contact: Node<'a>) -> Result<Option<Address<'a>>, Reject> {
    if address.is_nowhere() && contact.is_nowhere() {
        return Ok(None);
    }
    Ok(Some(Address {
        id: None,
        kind: None,
        r#use: None,
        first_name: contact.text("firstName")?,
        last_name: contact.text("lastName")?,
        full_name: None,
        company: contact.text("organization")?,
        line1: address.text("street1")?,
        line2: address.text("street2")?,
        line3: address.text("street3")?,
        line4: None,
        city: address.text("city")?,
        region: None,
        region_code: address.text("subCountry")?,
        // May hold the region too ("NY 10006"): not taken apart.
        postal_code: address.text("zipOrPostalCode")?,
        country: None,
        country_code: address.form("country", forms::country_code)?,
        phone: contact.text("phoneNumber")?,
        fax: contact.text("faxNumber")?,
        email: None,
        is_default_billing: None,
        is_default_shipping: None,
    }))
}

/// A Java locale: as it stands, since it is a key elsewhere, and as BCP 47. One that cannot be converted stays unread.
pub struct Locale<'a> {
    pub java: Option<Text<'a>>,
    pub bcp_47: Option<Text<'a>>,
}

pub fn locale<'a>(owner: Node<'a>) -> Result<Locale<'a>, Reject> {
    let bcp_47 = owner.form("locale", forms::locale)?;
    let java = if bcp_47.is_some() { owner.text("locale")? } else { None };
    Ok(Locale { java, bcp_47 })
}

/// The name of a SKU in the locale of the session or order, else in its language; another language's name is no name.
pub fn display_name<'a>(sku: Node<'a>, locale: &Locale<'a>) -> Result<Option<Text<'a>>, Reject> {
    let Some(java) = locale.java.as_deref() else { return Ok(None) };
    let names = sku.child("displayNames")?;
    let language = java.split('_').next();
    for wanted in [Some(java), language.filter(|language| *language != java)].into_iter().flatten() {
        if let Some((_, name)) = names.entries()?.find(|(key, _)| *key == wanted) {
            return name.read_text();
        }
    }
    Ok(None)
}

/// Reads the lines under `key` and those below them, depth first, as one list. `read` is given the line, its id, and the
/// id of the line that it is a part of.
pub fn flatten<'a, T: Element>(
    owner: Node<'a>,
    key: &'static str,
    parent_id: Option<Text<'a>>,
    read: &mut impl FnMut(Node<'a>, Option<Text<'a>>, Option<Text<'a>>) -> Result<T, Reject>,
    out: &mut Vec<T>,
) -> Result<(), Reject> {
    let list = owner.value(key)?;
    if list.is_nowhere() {
        return Ok(());
    }
    let lines = list.items()?;
    let repeated = parent_id.as_deref().map_or(0, str::len);
    list.spend_elements::<T>(lines.len(), repeated)?;
    out.reserve(lines.len());
    for line in lines {
        let id = line.id("guid")?;
        out.push(read(line, id.clone(), parent_id.clone())?);
        flatten(line, "children", id, read, out)?;
    }
    Ok(())
}

/// Where the lines of a cart or an order stand, to find one again that is repeated elsewhere in the body.
pub struct Places<'a>(Vec<(Text<'a>, Node<'a>)>);

impl<'a> Places<'a> {
    /// Sorted, so that many lines that come again many times cost no square.
    pub fn new(mut lines: Vec<(Text<'a>, Node<'a>)>) -> Places<'a> {
        lines.sort_by(|(a, _), (b, _)| a.cmp(b));
        Places(lines)
    }

    pub fn find(&self, id: &str) -> Option<Node<'a>> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(id)).ok().map(|at| self.0[at].1)
    }
}
