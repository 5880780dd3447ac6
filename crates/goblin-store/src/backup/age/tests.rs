use std::io::Cursor;

use super::*;

const PASSPHRASE: &str = "correct horse battery staple";
/// `age --passphrase` 1.1.1, the program of the format's author, made this.
const BY_AGE: &str = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCAwMEdXejhITmFSUUVuZ2JMWERySWRRIDE4CmoyRCtFSk00aXpDb1JoNj\
    MyUmZZcTc1ZGs4dzdjOUlqM1Q0bTBFdk92YkUKLS0tIEhnZjVwZUFCVmRYSHZPOGpsZklYWUJEVS9PTkVPRE15blkrTGpFdVRmZ0EK+esYr1FTqdyI0oX\
    m5GxduZt6CQejMuKI6SReJO2SwzCdIzAlT/BKwB8VqAbJtrNi6NhLzLM19BRQPQ==";
/// It opened this, which was made here of the numbers in [`drawn`].
const OPENED_BY_AGE: &str = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBBZ0lDQWdJQ0FnSUNBZ0lDQWdJQ0FnIDEwCmY5S1liQUJ6R0dJcEc0RDNJSnVDdTlk\
    M0xDd2JFYzhNRHdGWGxCeElNY0UKLS0tIEM0c3BJekFmbDdUdUk4K2Z6M0JHbk1rRlZXR2pwQkZ1NEZ3K0w3MHowRHcKAwMDAwMDAwMDAwMD\
    AwMDAxnYhsGfOUXLLacR8AcPTElCRxD+kIUAZtTf/fj8dMsAiayeDb56xw561g==";

fn drawn() -> Drawn {
    Drawn {
        file_key: [1; 16],
        salt: [2; 16],
        nonce: [3; 16],
    }
}

fn sealed(content: &[u8]) -> Vec<u8> {
    let mut writer = Writer::begin_with(Vec::new(), PASSPHRASE, 1, drawn()).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

fn opened(bytes: &[u8]) -> Result<Vec<u8>, OpenError> {
    let mut reader = Reader::open(Cursor::new(bytes), PASSPHRASE, 18)?;
    let mut content = Vec::new();
    reader.read_to_end(&mut content)?;
    Ok(content)
}

/// Content that does not repeat at the length of a piece.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

#[test]
fn what_ages_own_program_sealed_is_opened() {
    let bytes = base64::engine::general_purpose::STANDARD.decode(BY_AGE).unwrap();
    assert_eq!(opened(&bytes).unwrap(), b"sealed by another program\n");
    let less = Reader::open(Cursor::new(&bytes), PASSPHRASE, 17);
    assert!(matches!(less, Err(OpenError::TooMuchWork(18))));
}

#[test]
fn what_is_sealed_is_to_the_byte_what_ages_own_program_opened() {
    let mut writer = Writer::begin_with(Vec::new(), PASSPHRASE, 10, drawn()).unwrap();
    writer.write_all(b"opened by another program\n").unwrap();
    let bytes = writer.finish().unwrap();
    assert_eq!(
        base64::engine::general_purpose::STANDARD.encode(bytes),
        OPENED_BY_AGE
    );
}

#[test]
fn content_of_every_length_around_a_piece_comes_back_twice() {
    for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 7] {
        let bytes = sealed(&content(length));
        let mut reader = Reader::open(Cursor::new(&bytes), PASSPHRASE, 18).unwrap();
        for _ in 0..2 {
            let mut found = Vec::new();
            reader.read_to_end(&mut found).unwrap();
            assert!(found == content(length), "{length}");
            reader.rewind().unwrap();
        }
    }
}

#[test]
fn content_cut_lengthened_or_with_pieces_in_another_order_is_refused() {
    for length in [10, PIECE, 2 * PIECE + 10] {
        let bytes = sealed(&content(length));
        let start = bytes.len() - length - TAG * length.div_ceil(PIECE).max(1);
        let sealed_piece = PIECE + TAG;
        for end in [start, start + 1, start + TAG, bytes.len() - 1]
            .into_iter()
            .chain((1..3).map(|n| start + n * sealed_piece))
            .filter(|end| *end < bytes.len())
        {
            assert!(opened(&bytes[..end]).is_err(), "{length} cut at {end}");
        }
        assert!(
            opened(&[&bytes[..], b"x"].concat()).is_err(),
            "{length} and one more"
        );
        let again = [&bytes[..], &bytes[start..]].concat();
        assert!(opened(&again).is_err(), "{length} twice");
    }
    let mut bytes = sealed(&content(2 * PIECE + 10));
    let start = bytes.len() - 2 * PIECE - 10 - 3 * TAG;
    let (first, rest) = bytes[start..].split_at_mut(PIECE + TAG);
    first.swap_with_slice(&mut rest[..PIECE + TAG]);
    assert!(opened(&bytes).is_err(), "two pieces exchanged");
}

#[test]
fn any_change_of_any_byte_is_refused() {
    let bytes = sealed(b"content");
    for at in 0..bytes.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= bit;
            assert!(opened(&changed).is_err(), "byte {at}, bit {bit}");
        }
    }
    for end in 0..bytes.len() {
        assert!(opened(&bytes[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn why_a_file_cannot_be_opened_is_told_apart() {
    let bytes = sealed(b"content");
    let text = |from: &str, to: &str| {
        let end = bytes.iter().rposition(|b| *b == b'\n').unwrap();
        let lines = String::from_utf8_lossy(&bytes[..end]).replacen(from, to, 1);
        [lines.as_bytes(), &bytes[end..]].concat()
    };
    assert!(matches!(opened(b""), Err(OpenError::NotSealed)));
    assert!(matches!(opened(b"Dear Jane,\n"), Err(OpenError::NotSealed)));
    assert!(matches!(opened(&text("/v1", "/v2")), Err(OpenError::NotSealed)));
    let by_key = text("scrypt ", "X25519 ");
    assert!(matches!(opened(&by_key), Err(OpenError::NotByPassphrase)));
    for (from, to) in [
        (" 1\n", " 01\n"),
        (" 1\n", " 0\n"),
        (" 1\n", " +1\n"),
        ("-> scrypt AgIC", "-> scrypt AgI="),
    ] {
        let found = opened(&text(from, to));
        assert!(matches!(found, Err(OpenError::Altered)), "{to}: {found:?}");
    }
    let other = Reader::open(Cursor::new(&bytes), "another passphrase", 18);
    assert!(matches!(other, Err(OpenError::WrongPassphrase)));
    let harder = opened(&text(" 1\n", " 2\n"));
    assert!(matches!(harder, Err(OpenError::WrongPassphrase)), "{harder:?}");
}
