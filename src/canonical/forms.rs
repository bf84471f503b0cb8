//! The forms that people group by: ISO 4217 currencies, ISO 3166-1 alpha-2 countries, BCP 47 locales. What cannot be
//! converted is `None`: a wrong group is worse than none. Knows no vendor.

use super::Text;

/// An ISO 4217 code, in whatever case it was written.
pub fn currency(text: &str) -> Option<Text<'_>> {
    Some(as_it_stands(text, CURRENCY_OF.find(CURRENCIES, text)?))
}

/// An ISO 3166-1 alpha-2 code; alpha-3 is converted.
pub fn country_code(text: &str) -> Option<Text<'_>> {
    if text.len() == 2 {
        return Some(as_it_stands(text, COUNTRY_OF.find(ALPHA_2, text)?));
    }
    let code = upper::<3>(text)?;
    let at = ALPHA_3.binary_search_by(|(alpha_3, _)| alpha_3.as_bytes().cmp(&code)).ok()?;
    Some(Text::Borrowed(ALPHA_3[at].1))
}

/// A BCP 47 tag of a language, maybe a script, maybe a region: `fr_CA` becomes `fr-CA`, `FR` becomes `fr`.
pub fn locale(text: &str) -> Option<Text<'_>> {
    // Nearly all are right as they stand.
    match *text.as_bytes() {
        [b'a'..=b'z', b'a'..=b'z'] | [b'a'..=b'z', b'a'..=b'z', b'-', b'A'..=b'Z', b'A'..=b'Z'] => {
            return Some(Text::Borrowed(text));
        }
        _ => {}
    }
    let mut parts = text.split(['-', '_']);
    let language = parts.next().filter(|part| matches!(part.len(), 2 | 3) && is_alphabetic(part))?;
    let mut tag = language.to_ascii_lowercase();
    let mut next = parts.next();
    if let Some(script) = next.filter(|part| part.len() == 4 && is_alphabetic(part)) {
        tag.push('-');
        tag.push_str(&script[..1].to_ascii_uppercase());
        tag.push_str(&script[1..].to_ascii_lowercase());
        next = parts.next();
    }
    if let Some(region) = next {
        let is_region = region.len() == 2 && is_alphabetic(region)
            || region.len() == 3 && region.bytes().all(|b| b.is_ascii_digit());
        if !is_region {
            return None;
        }
        tag.push('-');
        tag.push_str(&region.to_ascii_uppercase());
    }
    parts.next().is_none().then_some(Text::Owned(tag))
}

fn is_alphabetic(part: &str) -> bool {
    part.bytes().all(|b| b.is_ascii_alphabetic())
}

/// The text in capitals, if it is `N` letters.
fn upper<const N: usize>(text: &str) -> Option<[u8; N]> {
    let bytes: [u8; N] = text.as_bytes().try_into().ok()?;
    is_alphabetic(text).then(|| bytes.map(|b| b.to_ascii_uppercase()))
}

/// Of each code that letters could make, the place in a list of those that there are, and one more; 0 where it is none. A webhook
/// has several, and to search for one is a branch that nobody can foresee at every step.
struct Places<const LETTERS: usize, const CODES: usize>([u8; CODES]);

static CURRENCY_OF: Places<3, { 26 * 26 * 26 }> = Places::of(CURRENCIES);
static COUNTRY_OF: Places<2, { 26 * 26 }> = Places::of(ALPHA_2);

impl<const LETTERS: usize, const CODES: usize> Places<LETTERS, CODES> {
    const fn of(codes: &[&str]) -> Places<LETTERS, CODES> {
        assert!(codes.len() < u8::MAX as usize);
        let mut places = [0; CODES];
        let mut at = 0;
        while at < codes.len() {
            let letters = codes[at].as_bytes();
            let (mut number, mut nth) = (0, 0);
            while nth < LETTERS {
                number = number * 26 + (letters[nth] - b'A') as usize;
                nth += 1;
            }
            places[number] = at as u8 + 1;
            at += 1;
        }
        Places(places)
    }

    /// The code that the text is, in whatever case. A text of another length than theirs is none.
    #[inline]
    fn find(&self, codes: &[&'static str], text: &str) -> Option<&'static str> {
        let letters: [u8; LETTERS] = text.as_bytes().try_into().ok()?;
        let number = letters.into_iter().try_fold(0, |number, letter| {
            let letter = (letter | 0x20).wrapping_sub(b'a');
            (letter < 26).then(|| number * 26 + usize::from(letter))
        })?;
        let place = self.0.get(number)?.checked_sub(1)?;
        codes.get(usize::from(place)).copied()
    }
}

/// The vendor's own text where it is the code already.
fn as_it_stands<'a>(text: &'a str, code: &'static str) -> Text<'a> {
    Text::Borrowed(if text == code { text } else { code })
}

/// ISO 4217, with codes withdrawn in this century, which old orders still carry. Sorted.
#[rustfmt::skip]
const CURRENCIES: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BHD", "BIF",
    "BMD", "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BYR", "BZD", "CAD", "CDF", "CHE", "CHF", "CHW",
    "CLF", "CLP", "CNY", "COP", "COU", "CRC", "CUC", "CUP", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD", "EEK", "EGP",
    "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HRK",
    "HTG", "HUF", "IDR", "ILS", "INR", "IQD", "IRR", "ISK", "JMD", "JOD", "JPY", "KES", "KGS", "KHR", "KMF", "KPW",
    "KRW", "KWD", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "LTL", "LVL", "LYD", "MAD", "MDL", "MGA", "MKD",
    "MMK", "MNT", "MOP", "MRO", "MRU", "MUR", "MVR", "MWK", "MXN", "MXV", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK",
    "NPR", "NZD", "OMR", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RUB", "RWF", "SAR",
    "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SKK", "SLE", "SLL", "SOS", "SRD", "SSP", "STD", "STN", "SVC", "SYP",
    "SZL", "THB", "TJS", "TMT", "TND", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX", "USD", "USN", "UYI", "UYU",
    "UYW", "UZS", "VED", "VEF", "VES", "VND", "VUV", "WST", "XAD", "XAF", "XAG", "XAU", "XBA", "XBB", "XBC", "XBD",
    "XCD", "XCG", "XDR", "XOF", "XPD", "XPF", "XPT", "XSU", "XTS", "XUA", "XXX", "YER", "ZAR", "ZMK", "ZMW", "ZWG",
    "ZWL",
];

/// ISO 3166-1 alpha-2, with Kosovo's user-assigned code. Sorted.
#[rustfmt::skip]
const ALPHA_2: &[&str] = &[
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ", "BA", "BB",
    "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS", "BT", "BV", "BW", "BY",
    "BZ", "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN", "CO", "CR", "CU", "CV", "CW", "CX",
    "CY", "CZ", "DE", "DJ", "DK", "DM", "DO", "DZ", "EC", "EE", "EG", "EH", "ER", "ES", "ET", "FI", "FJ", "FK",
    "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF", "GG", "GH", "GI", "GL", "GM", "GN", "GP", "GQ", "GR", "GS",
    "GT", "GU", "GW", "GY", "HK", "HM", "HN", "HR", "HT", "HU", "ID", "IE", "IL", "IM", "IN", "IO", "IQ", "IR",
    "IS", "IT", "JE", "JM", "JO", "JP", "KE", "KG", "KH", "KI", "KM", "KN", "KP", "KR", "KW", "KY", "KZ", "LA",
    "LB", "LC", "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY", "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK",
    "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS", "MT", "MU", "MV", "MW", "MX", "MY", "MZ", "NA", "NC", "NE",
    "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU", "NZ", "OM", "PA", "PE", "PF", "PG", "PH", "PK", "PL", "PM",
    "PN", "PR", "PS", "PT", "PW", "PY", "QA", "RE", "RO", "RS", "RU", "RW", "SA", "SB", "SC", "SD", "SE", "SG",
    "SH", "SI", "SJ", "SK", "SL", "SM", "SN", "SO", "SR", "SS", "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TF",
    "TG", "TH", "TJ", "TK", "TL", "TM", "TN", "TO", "TR", "TT", "TV", "TW", "TZ", "UA", "UG", "UM", "US", "UY",
    "UZ", "VA", "VC", "VE", "VG", "VI", "VN", "VU", "WF", "WS", "XK", "YE", "YT", "ZA", "ZM", "ZW",
];

/// ISO 3166-1 alpha-3, and its alpha-2. Sorted.
#[rustfmt::skip]
const ALPHA_3: &[(&str, &str)] = &[
    ("ABW", "AW"), ("AFG", "AF"), ("AGO", "AO"), ("AIA", "AI"), ("ALA", "AX"), ("ALB", "AL"), ("AND", "AD"),
    ("ARE", "AE"), ("ARG", "AR"), ("ARM", "AM"), ("ASM", "AS"), ("ATA", "AQ"), ("ATF", "TF"), ("ATG", "AG"),
    ("AUS", "AU"), ("AUT", "AT"), ("AZE", "AZ"), ("BDI", "BI"), ("BEL", "BE"), ("BEN", "BJ"), ("BES", "BQ"),
    ("BFA", "BF"), ("BGD", "BD"), ("BGR", "BG"), ("BHR", "BH"), ("BHS", "BS"), ("BIH", "BA"), ("BLM", "BL"),
    ("BLR", "BY"), ("BLZ", "BZ"), ("BMU", "BM"), ("BOL", "BO"), ("BRA", "BR"), ("BRB", "BB"), ("BRN", "BN"),
    ("BTN", "BT"), ("BVT", "BV"), ("BWA", "BW"), ("CAF", "CF"), ("CAN", "CA"), ("CCK", "CC"), ("CHE", "CH"),
    ("CHL", "CL"), ("CHN", "CN"), ("CIV", "CI"), ("CMR", "CM"), ("COD", "CD"), ("COG", "CG"), ("COK", "CK"),
    ("COL", "CO"), ("COM", "KM"), ("CPV", "CV"), ("CRI", "CR"), ("CUB", "CU"), ("CUW", "CW"), ("CXR", "CX"),
    ("CYM", "KY"), ("CYP", "CY"), ("CZE", "CZ"), ("DEU", "DE"), ("DJI", "DJ"), ("DMA", "DM"), ("DNK", "DK"),
    ("DOM", "DO"), ("DZA", "DZ"), ("ECU", "EC"), ("EGY", "EG"), ("ERI", "ER"), ("ESH", "EH"), ("ESP", "ES"),
    ("EST", "EE"), ("ETH", "ET"), ("FIN", "FI"), ("FJI", "FJ"), ("FLK", "FK"), ("FRA", "FR"), ("FRO", "FO"),
    ("FSM", "FM"), ("GAB", "GA"), ("GBR", "GB"), ("GEO", "GE"), ("GGY", "GG"), ("GHA", "GH"), ("GIB", "GI"),
    ("GIN", "GN"), ("GLP", "GP"), ("GMB", "GM"), ("GNB", "GW"), ("GNQ", "GQ"), ("GRC", "GR"), ("GRD", "GD"),
    ("GRL", "GL"), ("GTM", "GT"), ("GUF", "GF"), ("GUM", "GU"), ("GUY", "GY"), ("HKG", "HK"), ("HMD", "HM"),
    ("HND", "HN"), ("HRV", "HR"), ("HTI", "HT"), ("HUN", "HU"), ("IDN", "ID"), ("IMN", "IM"), ("IND", "IN"),
    ("IOT", "IO"), ("IRL", "IE"), ("IRN", "IR"), ("IRQ", "IQ"), ("ISL", "IS"), ("ISR", "IL"), ("ITA", "IT"),
    ("JAM", "JM"), ("JEY", "JE"), ("JOR", "JO"), ("JPN", "JP"), ("KAZ", "KZ"), ("KEN", "KE"), ("KGZ", "KG"),
    ("KHM", "KH"), ("KIR", "KI"), ("KNA", "KN"), ("KOR", "KR"), ("KWT", "KW"), ("LAO", "LA"), ("LBN", "LB"),
    ("LBR", "LR"), ("LBY", "LY"), ("LCA", "LC"), ("LIE", "LI"), ("LKA", "LK"), ("LSO", "LS"), ("LTU", "LT"),
    ("LUX", "LU"), ("LVA", "LV"), ("MAC", "MO"), ("MAF", "MF"), ("MAR", "MA"), ("MCO", "MC"), ("MDA", "MD"),
    ("MDG", "MG"), ("MDV", "MV"), ("MEX", "MX"), ("MHL", "MH"), ("MKD", "MK"), ("MLI", "ML"), ("MLT", "MT"),
    ("MMR", "MM"), ("MNE", "ME"), ("MNG", "MN"), ("MNP", "MP"), ("MOZ", "MZ"), ("MRT", "MR"), ("MSR", "MS"),
    ("MTQ", "MQ"), ("MUS", "MU"), ("MWI", "MW"), ("MYS", "MY"), ("MYT", "YT"), ("NAM", "NA"), ("NCL", "NC"),
    ("NER", "NE"), ("NFK", "NF"), ("NGA", "NG"), ("NIC", "NI"), ("NIU", "NU"), ("NLD", "NL"), ("NOR", "NO"),
    ("NPL", "NP"), ("NRU", "NR"), ("NZL", "NZ"), ("OMN", "OM"), ("PAK", "PK"), ("PAN", "PA"), ("PCN", "PN"),
    ("PER", "PE"), ("PHL", "PH"), ("PLW", "PW"), ("PNG", "PG"), ("POL", "PL"), ("PRI", "PR"), ("PRK", "KP"),
    ("PRT", "PT"), ("PRY", "PY"), ("PSE", "PS"), ("PYF", "PF"), ("QAT", "QA"), ("REU", "RE"), ("ROU", "RO"),
    ("RUS", "RU"), ("RWA", "RW"), ("SAU", "SA"), ("SDN", "SD"), ("SEN", "SN"), ("SGP", "SG"), ("SGS", "GS"),
    ("SHN", "SH"), ("SJM", "SJ"), ("SLB", "SB"), ("SLE", "SL"), ("SLV", "SV"), ("SMR", "SM"), ("SOM", "SO"),
    ("SPM", "PM"), ("SRB", "RS"), ("SSD", "SS"), ("STP", "ST"), ("SUR", "SR"), ("SVK", "SK"), ("SVN", "SI"),
    ("SWE", "SE"), ("SWZ", "SZ"), ("SXM", "SX"), ("SYC", "SC"), ("SYR", "SY"), ("TCA", "TC"), ("TCD", "TD"),
    ("TGO", "TG"), ("THA", "TH"), ("TJK", "TJ"), ("TKL", "TK"), ("TKM", "TM"), ("TLS", "TL"), ("TON", "TO"),
    ("TTO", "TT"), ("TUN", "TN"), ("TUR", "TR"), ("TUV", "TV"), ("TWN", "TW"), ("TZA", "TZ"), ("UGA", "UG"),
    ("UKR", "UA"), ("UMI", "UM"), ("URY", "UY"), ("USA", "US"), ("UZB", "UZ"), ("VAT", "VA"), ("VCT", "VC"),
    ("VEN", "VE"), ("VGB", "VG"), ("VIR", "VI"), ("VNM", "VN"), ("VUT", "VU"), ("WLF", "WF"), ("WSM", "WS"),
    ("XKX", "XK"), ("YEM", "YE"), ("ZAF", "ZA"), ("ZMB", "ZM"), ("ZWE", "ZW"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_what_vendors_write() {
        for (text, tag) in [
            ("fr_CA", Some("fr-CA")),
            ("en", Some("en")),
            ("FR", Some("fr")),
            ("zh_hant_TW", Some("zh-Hant-TW")),
            ("es-419", Some("es-419")),
            ("en;fr", None),
            ("english", None),
            ("en-US-x", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(locale(text).as_deref(), tag, "{text}");
        }
        for (text, code) in
            [("US", Some("US")), ("USA", Some("US")), ("fra", Some("FR")), ("UK", None), ("XX", None), ("", None)]
        {
            assert_eq!(country_code(text).as_deref(), code, "{text}");
        }
        for (text, code) in [("USD", Some("USD")), ("eur", Some("EUR")), ("US$", None), ("XYZ", None), ("ÉÉ", None)] {
            assert_eq!(currency(text).as_deref(), code, "{text}");
        }
    }

    #[test]
    fn every_code_is_found_and_nothing_else() {
        let letters: Vec<char> = ('@'..='[').chain('`'..='{').chain(['0', ' ', '\0', 'é', '\u{ff21}']).collect();
        let mut found = [0; 2];
        for one in &letters {
            for other in &letters {
                let pair = String::from_iter([one, other]);
                let there = ALPHA_2.iter().find(|code| pair.eq_ignore_ascii_case(code));
                assert_eq!(country_code(&pair).as_deref(), there.copied(), "{pair}");
                found[0] += usize::from(there.is_some());
                for third in &letters {
                    let three = String::from_iter([one, other, third]);
                    let there = CURRENCIES.binary_search(&&*three.to_ascii_uppercase()).ok().map(|at| CURRENCIES[at]);
                    assert_eq!(currency(&three).as_deref(), there, "{three}");
                    found[1] += usize::from(there.is_some());
                }
            }
        }
        assert_eq!(found, [4 * ALPHA_2.len(), 8 * CURRENCIES.len()], "in all spellings");
    }

    #[test]
    fn the_tables_are_sorted() {
        assert!(CURRENCIES.is_sorted());
        assert!(ALPHA_2.is_sorted());
        assert!(ALPHA_3.is_sorted());
        assert_eq!(ALPHA_2.len(), ALPHA_3.len());
    }
}
