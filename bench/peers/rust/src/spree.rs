//! What the peers read of Spree 5.4's `order.completed`. `T` is the text: `Str` borrows where nothing is escaped.
use serde::Deserialize as De;
use serde::de::{Deserialize, Deserializer, Visitor};
use std::borrow::Cow;

/// Cow that also borrows inside Option/Vec (serde's derive only borrows a bare Cow field).
#[derive(Debug, Clone, Default)]
pub struct Str<'a>(pub Cow<'a, str>);
impl std::ops::Deref for Str<'_> {
    type Target = str;
    #[inline]
    fn deref(&self) -> &str {
        &self.0
    }
}
impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct V;
        impl<'de> Visitor<'de> for V {
            type Value = Str<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a string")
            }
            #[inline]
            fn visit_borrowed_str<E>(self, v: &'de str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Borrowed(v)))
            }
            #[inline]
            fn visit_str<E>(self, v: &str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Owned(v.to_owned())))
            }
            #[inline]
            fn visit_string<E>(self, v: String) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Owned(v)))
            }
        }
        d.deserialize_str(V)
    }
}

#[derive(De, Debug, Default)]
pub struct Envelope<T> {
    pub id: T,
    pub name: T,
    pub created_at: T,
    pub data: Order<T>,
    pub metadata: Option<Metadata<T>>,
}
#[derive(De, Debug, Default)]
pub struct Metadata<T> {
    pub spree_version: Option<T>,
}
#[derive(De, Debug, Default)]
pub struct Order<T> {
    pub id: T,
    pub number: T,
    pub state: T,
    pub email: Option<T>,
    pub special_instructions: Option<T>,
    pub currency: T,
    pub item_count: i32,
    pub shipment_state: Option<T>,
    pub payment_state: Option<T>,
    pub item_total: T,
    pub ship_total: T,
    pub adjustment_total: T,
    pub promo_total: T,
    pub tax_total: T,
    pub total: T,
    pub completed_at: Option<T>,
    pub created_at: T,
    pub updated_at: T,
    pub promotions: Vec<Promotion<T>>,
    pub items: Vec<Item<T>>,
    pub shipments: Vec<Shipment<T>>,
    pub payments: Vec<Payment<T>>,
    pub bill_address: Option<Address<T>>,
    pub ship_address: Option<Address<T>>,
}
#[derive(De, Debug, Default)]
pub struct Promotion<T> {
    pub code: Option<T>,
}
#[derive(De, Debug, Default)]
pub struct Item<T> {
    pub id: T,
    pub variant_id: T,
    pub quantity: i32,
    pub name: T,
    pub slug: Option<T>,
    pub options_text: Option<T>,
    pub price: T,
    pub total: T,
    pub additional_tax_total: T,
    pub promo_total: T,
    pub compare_at_amount: Option<T>,
    pub thumbnail_url: Option<T>,
    pub option_values: Vec<OptVal<T>>,
}
#[derive(De, Debug, Default)]
pub struct OptVal<T> {
    pub name: T,
    pub presentation: T,
}
#[derive(De, Debug, Default)]
pub struct Shipment<T> {
    pub id: T,
    pub number: T,
    pub state: T,
    pub tracking: Option<T>,
    pub tracking_url: Option<T>,
    pub cost: T,
    pub shipped_at: Option<T>,
    pub shipping_method: Option<Named<T>>,
    pub stock_location: Option<Ided<T>>,
}
#[derive(De, Debug, Default)]
pub struct Named<T> {
    pub name: Option<T>,
}
#[derive(De, Debug, Default)]
pub struct Ided<T> {
    pub id: T,
}
#[derive(De, Debug, Default)]
pub struct Payment<T> {
    pub id: T,
    pub number: T,
    pub state: T,
    pub amount: T,
    pub response_code: Option<T>,
    pub payment_method_id: T,
    pub source_type: Option<T>,
    pub source: Option<Source<T>>,
    pub payment_method: Option<Named<T>>,
    pub created_at: T,
}
#[derive(De, Debug, Default)]
pub struct Source<T> {
    pub brand: Option<T>,
    pub last4: Option<T>,
}
#[derive(De, Debug, Default)]
pub struct Address<T> {
    pub id: T,
    pub first_name: Option<T>,
    pub last_name: Option<T>,
    pub company: Option<T>,
    pub address1: Option<T>,
    pub address2: Option<T>,
    pub city: Option<T>,
    pub state_abbr: Option<T>,
    pub postal_code: Option<T>,
    pub country_iso: T,
    pub phone: Option<T>,
}
