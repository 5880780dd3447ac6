//! What a pattern cannot say of what it found: each check tells how many bytes of it are what it is taken for.

/// What a pattern found, and what stands around it.
pub(super) struct Found<'a> {
    pub(super) whole: &'a str,
    pub(super) before: &'a str,
    pub(super) after: &'a str,
}

impl Found<'_> {
    /// Does a letter, a digit or an underscore touch it?
    fn is_part_of_a_word(&self) -> bool {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        self.before.chars().next_back().is_some_and(word) || self.after.chars().next().is_some_and(word)
    }
}

/// Public names of the checks below: all of what was found, or nothing.
macro_rules! whole {
    ($($(#[$doc:meta])* $name:ident: $is:ident,)*) => {$(
        $(#[$doc])*
        pub(super) fn $name(found: &Found<'_>) -> Option<usize> {
            $is(found).then_some(found.whole.len())
        }
    )*};
}

whole! {
    /// It stands alone, not inside a longer word.
    alone: is_alone,
    /// See [`is_random`].
    random: is_random,
    /// See [`is_random_value`].
    random_value: is_random_value,
    /// See [`is_random_tail`].
    random_tail: is_random_tail,
    /// See [`is_password_in_url`].
    password_in_url: is_password_in_url,
    /// See [`is_mailbox`].
    mailbox: is_mailbox,
    /// See [`is_international_number`].
    international_number: is_international_number,
    /// See [`is_north_american_number`].
    north_american_number: is_north_american_number,
    /// See [`is_card`].
    card: is_card,
    /// See [`is_us_ssn`].
    us_ssn: is_us_ssn,
    /// See [`is_hidden_letters`].
    hidden_letters: is_hidden_letters,
}

/// The pattern says it all.
pub(super) fn always(found: &Found<'_>) -> Option<usize> {
    Some(found.whole.len())
}

/// It stands alone, not inside a longer word.
fn is_alone(found: &Found<'_>) -> bool {
    !found.is_part_of_a_word()
}

/// Its last part looks random: capital and small letters and digits, and no long run of one of them.
fn is_random(found: &Found<'_>) -> bool {
    !found.is_part_of_a_word() && looks_random(found.whole)
}

/// The value given to a name that says it is a secret looks random.
fn is_random_value(found: &Found<'_>) -> bool {
    let value = found.whole.trim_end_matches(['"', '\'']);
    let value = value.rsplit(['"', '\'']).next().unwrap_or_default();
    looks_random(value)
}

/// The 40 characters at its end look random, and no more of them follow.
fn is_random_tail(found: &Found<'_>) -> bool {
    let tail = found.whole.get(found.whole.len().saturating_sub(40)..);
    !found
        .after
        .starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '+'))
        && tail.is_some_and(looks_random)
}

fn looks_random(text: &str) -> bool {
    let has = |what: fn(&char) -> bool| text.chars().any(|c| what(&c));
    let mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    let mut distinct: Vec<char> = text.chars().collect();
    distinct.sort_unstable();
    distinct.dedup();
    mixed && distinct.len() >= 10 && !says_it_is_none(text)
}

/// Words people write where a secret would stand.
fn says_it_is_none(text: &str) -> bool {
    let text = text.to_lowercase();
    let words = [
        "example",
        "your",
        "xxxx",
        "placeholder",
        "changeme",
        "redacted",
        "dummy",
        "1234567890",
        "abcdef123",
    ];
    words.iter().any(|word| text.contains(word))
}

/// A password in an address, and not a word that stands for one.
fn is_password_in_url(found: &Found<'_>) -> bool {
    let credentials = found.whole.split_once("://").map_or("", |(_, rest)| rest);
    let password = credentials.split_once(':').map_or("", |(_, rest)| rest);
    let password = password
        .rsplit_once('@')
        .map_or(password, |(password, _)| password);
    let stands_for_one = [
        "password", "passwd", "pass", "pwd", "secret", "postgres", "root", "guest", "user", "test",
    ];
    let marks = |c: char| matches!(c, '<' | '>' | '$' | '{' | '}' | '*' | '%' | '[');
    let lower = password.to_lowercase();
    !stands_for_one.contains(&lower.as_str()) && !password.contains(marks) && !says_it_is_none(password)
}

/// An address somebody may read, not one kept for examples or made for machines.
fn is_mailbox(found: &Found<'_>) -> bool {
    let Some((name, domain)) = found.whole.rsplit_once('@') else {
        return false;
    };
    let (name, domain) = (name.to_lowercase(), domain.to_lowercase());
    let machines = [
        "git",
        "noreply",
        "no-reply",
        "donotreply",
        "postmaster",
        "mailer-daemon",
    ];
    // RFC 2606, RFC 6761; and what is a file's name in a package's address, as in `user@2x.png`.
    let examples = [
        "example.com",
        "example.org",
        "example.net",
        "users.noreply.github.com",
    ];
    let endings = [
        ".example",
        ".test",
        ".invalid",
        ".local",
        ".localhost",
        ".png",
        ".jpg",
        ".js",
        ".css",
        ".svg",
    ];
    let is_example = examples
        .iter()
        .any(|e| domain == *e || domain.ends_with(&format!(".{e}")));
    !machines.contains(&name.as_str())
        && !is_example
        && !endings.iter().any(|e| domain.ends_with(e))
        && !name.starts_with('.')
        && !found.before.ends_with(['/', ':', '@'])
        && !found.after.starts_with([':', '@'])
}

fn digits(text: &str) -> Vec<u8> {
    text.bytes()
        .filter(u8::is_ascii_digit)
        .map(|b| b - b'0')
        .collect()
}

/// A number with a country's code that exists and a length that can be.
fn is_international_number(found: &Found<'_>) -> bool {
    let before = found.before.chars().next_back();
    if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '+' | '-' | '=' | '.' | '*' | '/')) {
        return false;
    }
    if found.after.starts_with(|c: char| c.is_alphanumeric()) {
        return false;
    }
    let digits = digits(found.whole);
    match digits.as_slice() {
        [0, ..] => false,
        // North America: area code and exchange begin with 2 to 9; 555-01xx is kept for stories.
        [1, area, _, _, exchange, ..] => {
            digits.len() == 11 && *area >= 2 && *exchange >= 2 && !fictional(&digits)
        }
        _ => (9..=15).contains(&digits.len()) && !all_alike(&digits),
    }
}

/// A number as North Americans write it.
fn is_north_american_number(found: &Found<'_>) -> bool {
    if found.is_part_of_a_word() || found.before.ends_with(['-', '.', '+']) || found.after.starts_with('-') {
        return false;
    }
    let digits = digits(found.whole);
    let plausible = matches!(digits.as_slice(), [area, _, _, exchange, ..] if *area >= 2 && *exchange >= 2);
    plausible && digits.len() == 10 && !fictional(&digits)
}

/// 555-0100 to 555-0199 belong to nobody.
fn fictional(digits: &[u8]) -> bool {
    digits.len() >= 7 && digits[digits.len() - 7..].starts_with(&[5, 5, 5, 0, 1])
}

fn all_alike(digits: &[u8]) -> bool {
    digits.windows(2).all(|pair| pair[0] == pair[1])
}

/// Countries of the IBAN registry (SWIFT, release 97) and the length of theirs.
const IBAN_LENGTHS: [(&str, usize); 78] = [
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NL", 18),
    ("NO", 15),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("XK", 20),
];

/// An international bank account number: the length of its country, and its checksum (ISO 13616: mod 97 is 1). What the
/// pattern found beyond that length is no part of it.
pub(super) fn iban(found: &Found<'_>) -> Option<usize> {
    let country = found.whole.get(..2)?;
    let (_, length) = IBAN_LENGTHS.iter().find(|(code, _)| *code == country)?;
    let letters = found.whole.char_indices().filter(|(_, c)| !c.is_whitespace());
    let letters: Vec<(usize, char)> = letters.take(*length).collect();
    let (last, _) = letters.last().filter(|_| letters.len() == *length)?;
    let end = last + 1;
    let rest = found.whole.get(end..)?;
    let touches = |c: char| c.is_alphanumeric() || c == '_';
    let goes_on = rest
        .chars()
        .chain(found.after.chars())
        .next()
        .is_some_and(touches);
    if goes_on || found.before.chars().next_back().is_some_and(touches) {
        return None;
    }
    let (head, body) = letters.split_at_checked(4)?;
    let rest = body.iter().chain(head).try_fold(0u32, |rest, (_, c)| {
        let value = c.to_digit(36)?;
        Some((rest * if value < 10 { 10 } else { 100 } + value) % 97)
    });
    (rest == Some(1)).then_some(end)
}

/// A payment card: a brand's beginning and length, and its checksum (ISO/IEC 7812: Luhn).
fn is_card(found: &Found<'_>) -> bool {
    if found.is_part_of_a_word() || found.before.ends_with(['-', '.', ',', '+']) || found.after.starts_with('-') {
        return false;
    }
    let digits = digits(found.whole);
    let begins = digits.iter().take(4).fold(0u32, |n, d| n * 10 + u32::from(*d));
    let brand = match digits.len() {
        13 | 19 => begins / 1000 == 4,
        14 => matches!(begins / 10, 300..=305) || matches!(begins / 100, 36 | 38),
        15 => matches!(begins / 100, 34 | 37),
        16 => {
            begins / 1000 == 4
                || matches!(begins / 100, 51..=55 | 65)
                || matches!(begins, 2221..=2720 | 3528..=3589 | 6011)
                || matches!(begins / 10, 644..=649)
        }
        _ => false,
    };
    brand && !all_alike(&digits) && luhn(&digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (1, digit) if digit > 4 => digit * 2 - 9,
            (1, digit) => digit * 2,
            (_, digit) => digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// A social security number of the United States that can have been given out.
fn is_us_ssn(found: &Found<'_>) -> bool {
    if found.is_part_of_a_word()
        || found.before.ends_with(['-', '.', '/'])
        || found.after.starts_with(['-', '/'])
    {
        return false;
    }
    let mut parts = found.whole.split('-');
    let (area, group, serial) = (parts.next(), parts.next(), parts.next());
    let area_is = area.is_some_and(|a| a != "000" && a != "666" && !a.starts_with('9'));
    // Printed on specimen cards and in advertisements.
    let well_known = ["078-05-1120", "219-09-9999", "123-45-6789"].contains(&found.whole);
    area_is && group != Some("00") && serial != Some("0000") && !well_known
}

/// Letters nobody sees, and not the flag of a part of a country, which is written with them.
fn is_hidden_letters(found: &Found<'_>) -> bool {
    !found.before.ends_with('\u{1F3F4}')
}
