//! Keys for tests of this folder, and tokens signed with them. They are of nobody.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use goblin_core::clock::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::keys::KeySet;

pub(super) const NOW: Timestamp = Timestamp(1_795_471_200_000);

/// An RSA key (PKCS #1) and its modulus.
const RSA: &str = "MIIEpAIBAAKCAQEAzo1wm-Nx7dl3sBuIjPyFGPRaHPWMHP0jQP_yFkzvT80j8fcbVcbEnRyXQb_rNLl_DYOx2HrLgGLgsV8nlq97\
     -6q_mThYws4Jv6bVeZ1f0Ka8kDFS9NB4vZvZuiXe22MiBDuQYTuv8POBpwBQUcnwqPZ1sFV-xvUMJS8Kn9X2zLcn2gf82wSBchc-\
     bTjnvA0OTL7YLZPaENHewu0piWwSjrsTg0YFqf1bhbaGZ7UWTsK4OkAZqf9rSl4-igX7Cz0g3H6qNqrPgHKBxqFGWfcrDZ_pfpGK\
     vMZPVMGRUH-A8AH0JfDkWD5XiIrPLfDt7DIGP28_R8qiY9eUYbcbw_TPHQIDAQABAoIBAB0j-0Ui-4nQ6n_gAo3Ren2gy63WPqRA\
     Wl7rPR5EUGbzzCRw9lxNpKN9yyEtkGNp4DDp6YdfG6LLUGP1xsINk_JXjpxxRKSHKPzu7qMvvrrTKzs0mj2Lw90MRdVrTlupSr1K\
     If51y0a1NA95jdtcICXWT5hHF5G-NK5ySo9uQllzJK2jnUNPxLI0xOOddRVVbEKAKkV2BXT2SLwc38DPqOHtK-G84y-mRKE8t3cf\
     BucYqO3J8CKU7keoaZ_5wlQ5fYOfG6PW4gzUpTkIs5v8n8X_PZEl-2z1TUNP4reHbXq1MxLH_tnfpHNN0FeOKVl98yfJcP4JZdVN\
     6NStoJuHBIECgYEA76cYuJ4bElIwje-LHl9ggVeY9T2Q_MNpOH5PZNXU2WvgvlmoAqWprEf9xETVtnA9e82M7Mu0oPhMMDGXildv\
     k9K2-YfnCm9l48a-RYfuCOTxQDB9ZM1fYxbcXBnJ5NfmypaOffNge5x2Kji1o3VA4UrUjIQax9WTnTcWw0tJro0CgYEA3KRVy-_p\
     YOTUm1Ox3XD7lRmSu6GlpHXI2ELMuvbVJCkNq76ONEk6l3-xGNvBzazOOFB9aHAQ2AmQqfB0Iq3T0MlqrhvzSOxQ8uYVfNeRFiAS\
     Ls3XjT1LgYQ-3BNgP50ZSR_iYemIPWlxaGUTZUaeZU8SLTawzHiQxG0sveMOBtECgYAY5woglP1HKBc3iH6yR0Ll7c5NHXqlaUDT\
     x_xEBBw8A4O1A-f7bm91IX3zGRwD-yHIbZGJQZmhaGuyTlTq4S8M80ZkI4UUhoLV6l73JqrLbc7L1r4Q7W5OA6AeSee6ydyHjKF9\
     4P5TmeyFcqMdOx_kyTvQ5iFKRp0yJvlMjdQ4OQKBgQCMi5mjSHUupVTQhGWeGuQGu71-C5_JvMVtDFABIE3wtL3ikoVexO6vpkUX\
     ApTXAKZztMHNjuUL2DvwJBy2Imf0bPipY2B7KRz_PJSfa2kd4Nv0OGZ_r3WzUJwB7821d8qti8PWfr2r8MiuqQPL1Un8WnvHlTjV\
     Zk9A8BI5-rHqoQKBgQDp7Bd8DgM0JR7g91PoJ8Rr2RkyW5GNPZdl8knBFFI-xEdpajNlkW15ZrRK627D0mGEP-dmUoeIQm5Ytbjc\
     GRA3G6eu52CojVwVgMPuZMJwWNZj2V3s-B1Gl40_WKR65plLot_oaVMBV5bks_I99uxMQVyyzXa7M6JOWHePeRYG6Q";
pub(super) const RSA_N: &str = "zo1wm-Nx7dl3sBuIjPyFGPRaHPWMHP0jQP_yFkzvT80j8fcbVcbEnRyXQb_rNLl_DYOx2HrLgGLgsV8nlq97-6q_mThYws4Jv6bV\
     eZ1f0Ka8kDFS9NB4vZvZuiXe22MiBDuQYTuv8POBpwBQUcnwqPZ1sFV-xvUMJS8Kn9X2zLcn2gf82wSBchc-bTjnvA0OTL7YLZPa\
     ENHewu0piWwSjrsTg0YFqf1bhbaGZ7UWTsK4OkAZqf9rSl4-igX7Cz0g3H6qNqrPgHKBxqFGWfcrDZ_pfpGKvMZPVMGRUH-A8AH0\
     JfDkWD5XiIrPLfDt7DIGP28_R8qiY9eUYbcbw_TPHQ";
/// One of somebody else.
const FOREIGN: &str = "MIIEpAIBAAKCAQEAnNwhLle3uxQSM1H_FUNJEkegE98HEuhBN_S_h6vEqnCEcjfYYolaZAU4BUtUH-UP4UHCvsObCq6pOdyy06RH\
     goEHYK-cb6c1ugiEstK0MErlfqkCd2bBhvlpm7eXHeRq2cVv3AtW6LfDhFHuSQuaFmFpMdoytV-fya0GdFGV8FmwkQkxDLCstHht\
     r3KrekTahC7ZxbECFj-UyN8IxQZu-qcepPGf70fIyb01DNokO02rNl_kJe8BU19r4MbfL7E1P1rFrrjbee0tJVxq3Qilr5iJG2Ym\
     jc09LLUemZX295gMXQeQIsvQuzXv6cwP_28zYTzrWownQnaqn7OOmDSz8QIDAQABAoIBAA2ZgD72V_WeTd2pNEZxqPouv5A5e_GF\
     tXHWhGyM1eY5DyKf-ODCK9YUJcE_wLFrOK889ld3ug95CS79FXwH-DM2YJ9fWl7LznqslmSyo_Cz7aXHnXEgtZKwORnJFw7-aM0s\
     swAO86AFnqvwNoqauOdL1sT9t_vFqKLhn3eiQy-tVC5oTr_FvWjsvHlP6hPgFD4ZGjn2Gjd2X1aktr5o28anvE9B3nsLH8SSDFR_\
     FF3CNYDJp5yfB4yJ81juGDURDh9vab51yqqcDIWO2InYw4_3R72T1o2cctaM4Sm2utaG9h8Cc89YxRezWKvUQPmp_bM1cFLdLDhO\
     PZtbDYpQsokCgYEA1ulY_RH222DlpEOc64fnH1natcrJVbrIqNTYSxrRI8lRTXl6zGIlQvo7GXMZ5CYeqtFXB78IS1XlWirU9mVu\
     wMb4_29pJTN4r3AZDTH1YqsIR8mdu6i6aPg2eK-u46Oo4Sd2KzBpXX-NWtsmG1sIJw-6qHjDdzVfrYOtfoRjUX8CgYEAutl_Ia8D\
     HPz40UIv4usmfSmMFWyyrlv6iPe37EpwqtIFk5SdC2C6lyAS9nN7MBh94VorWtAHl9Kykp4ARoqV7rnphAXXudyLavuqt3nRJfhF\
     TC8cH3-Qx_7Naphb1QF-Uq2oVdFJ1J6rLb088TjEyk3xehrvkOWZ69Oi5wQg0o8CgYBqAFyxLlwpJqj-FY9fqP-5ufMjeatGysNQ\
     avNoUAjZ8uFUKlgEWWBxocTmr5wUqSy1Kl4X5wSrS-m9SKUUB0HSehG0w_oDrFiZh9wDYyHakeuapPpU5ktTnSIY8uZ7R2zz6Sfi\
     85T01gYdyzwHgCYMRjjWAgK_WKchiXJYlen69wKBgQC0_OI5RWX1mVCGmd76pZ41lJ39TrnRTITkUVcViZGS1TbTmht4nux-YHId\
     yQRlNQQR2h6uq1z_gfa5MFTB_5F1mR2JZYNtpCRjr3zQli2x4sd1IRjTpeQe5UAiZYxmSjkLauzom34xdrQG7Qvv-HYeI9uo1BiD\
     uPMcTHa54PTOHwKBgQC1YOyfhXEOyq0d5ACAh8DDYN5KdKndjab5elNtGFzzpZ8v1EGXNJbl1z58DTZ9JxtYbtT5mJ9uAsKuhdyT\
     DLY284M5K2iT1tdTni4iTE3zHJpjXVzUq8lXzq-2zBM1Z8Bac2lq85FRCN14MYnWRrTwK2eJs46E9jZunND1BDngLg";
/// A key on P-256 (PKCS #8) and its point.
const EC: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2GwoVMmKse6EEi7v9u1bmU3VKqf2AFLyi11hCH-pIb6hRANCAAQE\
     RFg0vwUtG7GZBnTT_KnDPF0hE52k3bQ9XLMXtbsqQgoqF9_C6dsOXf_1evn51t8TQ1HU6ZLhUNmyMsyLrSKe";
const EC_X: &str = "BERYNL8FLRuxmQZ00_ypwzxdIROdpN20PVyzF7W7KkI";
const EC_Y: &str = "CioX38Lp2w5d__V6-fnW3xNDUdTpkuFQ2bIyzIutIp4";

fn bytes(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub(super) fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_der(&bytes(RSA))
}

pub(super) fn foreign() -> EncodingKey {
    EncodingKey::from_rsa_der(&bytes(FOREIGN))
}

pub(super) fn ec() -> EncodingKey {
    EncodingKey::from_ec_der(&bytes(EC))
}

/// What the issuer publishes: `rsa` and `ec`.
pub(super) fn key_set() -> KeySet {
    let keys = json!({"keys": [
        {"kty": "RSA", "kid": "rsa", "use": "sig", "n": RSA_N, "e": "AQAB"},
        {"kty": "EC", "kid": "ec", "crv": "P-256", "x": EC_X, "y": EC_Y},
        {"kty": "oct", "kid": "shared", "k": RSA_N},
    ]});
    KeySet::parse(keys.to_string().as_bytes()).unwrap()
}

/// A token of this header and these claims, signed with `key` as `algorithm` has it, whatever the header says.
pub(super) fn signed(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

/// A value with some of its fields changed; null takes one away.
pub(super) fn with(mut value: Value, changes: &[(&str, Value)]) -> Value {
    for (name, to) in changes {
        match to {
            Value::Null => {
                value.as_object_mut().unwrap().remove(*name);
            }
            to => value[*name] = to.clone(),
        }
    }
    value
}
