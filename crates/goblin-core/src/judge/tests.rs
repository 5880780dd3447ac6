use super::*;

#[test]
fn digits_are_those_of_the_first_bytes() {
    assert_eq!(hex(&[0x01, 0xab, 0xff], 3), "01a");
    assert_eq!(hex(&[0x01], 8), "01");
}

#[test]
fn fingerprints_tell_where_one_part_ends() {
    assert_ne!(fingerprint(["ab", "c"]), fingerprint(["a", "bc"]));
    assert_eq!(fingerprint(["ab", "c"]), fingerprint(["ab", "c"]));
    assert_eq!(fingerprint([]).len(), 16);
}
