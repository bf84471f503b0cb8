//! Whom the merchant sells to.

use super::{Address, Attributes, CustomerType, Date, Decimal, Micros, Store, Text, words};

words! {
    /// Whether a customer may shop.
    pub enum CustomerStatus {
        Unknown = "UNKNOWN",
        Active = "ACTIVE",
        Disabled = "DISABLED",
    }

    /// What a customer says of themselves.
    pub enum Gender {
        Unknown = "UNKNOWN",
        Female = "FEMALE",
        Male = "MALE",
        NonBinary = "NON_BINARY",
    }

    /// What a consent is for, where it is not for everything.
    pub enum ConsentPurpose {
        Unknown = "UNKNOWN",
        NewCollection = "NEW_COLLECTION",
        Newsletter = "NEWSLETTER",
    }
}

/// A customer: a person, an organization, a guest or an account.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Customer<'a> {
    pub id: Option<Text<'a>>,
    pub external_id: Option<Text<'a>>,
    pub r#type: Option<CustomerType>,
    pub vendor_type: Option<Text<'a>>,
    pub status: Option<CustomerStatus>,
    pub vendor_status: Option<Text<'a>>,
    pub email: Option<Text<'a>>,
    pub phone: Option<Text<'a>>,
    pub other_phone: Option<Text<'a>>,
    pub fax: Option<Text<'a>>,
    pub title: Option<Text<'a>>,
    pub first_name: Option<Text<'a>>,
    pub last_name: Option<Text<'a>>,
    /// The name in another script.
    pub alternate_first_name: Option<Text<'a>>,
    pub alternate_last_name: Option<Text<'a>>,
    pub company: Option<Text<'a>>,
    pub business_number: Option<Text<'a>>,
    pub tax_exemption_id: Option<Text<'a>>,
    pub birth_date: Option<Date>,
    pub gender: Option<Gender>,
    pub vendor_gender: Option<Text<'a>>,
    pub nationality: Option<Text<'a>>,
    /// A passport's number, say. Left out unless the configuration asks for it.
    pub government_id: Option<Text<'a>>,
    /// BCP 47.
    pub locale: Option<Text<'a>>,
    /// ISO 4217.
    pub currency: Option<Text<'a>>,
    pub addresses: Vec<Address<'a>>,
    pub default_billing_address: Option<Address<'a>>,
    pub default_shipping_address: Option<Address<'a>>,
    pub preferred_channel: Option<Text<'a>>,
    /// True: contact by no channel.
    pub opted_out: Option<bool>,
    pub consent_given: Option<bool>,
    /// Where `opted_out` is true every `granted` in here is false.
    pub consents: Vec<Consent<'a>>,
    pub store: Option<Store<'a>>,
    pub sales_associate: Option<SalesAssociate<'a>>,
    pub segments: Vec<Text<'a>>,
    pub interests: Vec<Text<'a>>,
    pub preferences: Vec<Preference<'a>>,
    pub journey: Option<Text<'a>>,
    pub attributes: Attributes<'a>,
    pub first_time_buyer: Option<bool>,
    pub store_credits: Vec<StoreCredit<'a>>,
    pub store_credit_total: Option<Decimal>,
    pub payment_setups: Vec<PaymentSetup<'a>>,
    pub referred_by_id: Option<Text<'a>>,
    pub referred_at: Option<Micros>,
    pub last_contacted_at: Option<Micros>,
    pub created_at: Option<Micros>,
    pub updated_at: Option<Micros>,
    pub deleted_at: Option<Micros>,
}

/// May the customer be contacted by this channel?
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Consent<'a> {
    pub channel: Option<Text<'a>>,
    pub granted: Option<bool>,
    /// None: for everything.
    pub purpose: Option<ConsentPurpose>,
    pub verified_at: Option<Micros>,
    pub created_at: Option<Micros>,
}

/// The member of staff who looks after a customer.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct SalesAssociate<'a> {
    pub id: Option<Text<'a>>,
    pub external_id_2: Option<Text<'a>>,
    pub full_name: Option<Text<'a>>,
    pub email: Option<Text<'a>>,
}

/// What a customer prefers in one respect.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct Preference<'a> {
    pub name: Option<Text<'a>>,
    pub values: Vec<Text<'a>>,
}

/// Money that a customer has with the shop.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct StoreCredit<'a> {
    pub id: Option<Text<'a>>,
    pub amount: Option<Decimal>,
    pub amount_used: Option<Decimal>,
    pub amount_remaining: Option<Decimal>,
    pub currency: Option<Text<'a>>,
}

/// A means of payment being set up for later.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub struct PaymentSetup<'a> {
    pub id: Option<Text<'a>>,
    pub status: Option<Text<'a>>,
    pub external_id: Option<Text<'a>>,
    pub method_id: Option<Text<'a>>,
    pub method_name: Option<Text<'a>>,
    pub provider: Option<Text<'a>>,
    pub source_type: Option<Text<'a>>,
    pub source_id: Option<Text<'a>>,
    pub created_at: Option<Micros>,
    pub method_description: Option<Text<'a>>,
    pub session_required: Option<bool>,
}
