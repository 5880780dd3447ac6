//! An authenticator as tests play it (WebAuthn Level 3, section 6): a P-256 key, a counter, and no scruples.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::test_app::TestApp;

/// What holds one passkey, and what it says of itself.
pub(crate) struct Authenticator {
    pub(crate) key: EcdsaKeyPair,
    pub(crate) id: Vec<u8>,
    /// What it was told the account is.
    pub(crate) handle: Vec<u8>,
    pub(crate) counter: u32,
    pub(crate) host: String,
    pub(crate) origin: String,
    /// User present 1, user verified 4.
    pub(crate) flags: u8,
    pub(crate) kind: Option<&'static str>,
    /// Said instead of the challenge that was asked.
    pub(crate) challenge: Option<String>,
}

impl Authenticator {
    pub(crate) fn new(app: &TestApp) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let id = Sha256::digest(key.public_key().as_ref()).to_vec();
        Self {
            key,
            id,
            handle: Vec::new(),
            counter: 1,
            host: "localhost".into(),
            origin: format!("http://localhost:{}", app.address.port()),
            flags: 5,
            kind: None,
            challenge: None,
        }
    }

    /// What `navigator.credentials.create` gives.
    pub(crate) fn make(&mut self, options: &Value) -> Value {
        self.handle = URL_SAFE_NO_PAD
            .decode(options["user"]["id"].as_str().unwrap())
            .unwrap();
        let client = self.client_data("webauthn.create", options);
        let mut data = self.data(0x40);
        data.extend([0; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        // COSE: EC2, ES256, P-256, x, y (RFC 9053).
        let point = self.key.public_key().as_ref();
        data.extend([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[33..65]);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        self.credential(json!({
            "clientDataJSON": text(client),
            "attestationObject": text(object),
            "transports": ["internal"],
        }))
    }

    /// What `navigator.credentials.get` gives.
    pub(crate) fn show(&self, options: &Value) -> Value {
        let client = self.client_data("webauthn.get", options);
        let data = self.data(0);
        let mut signed = data.clone();
        signed.extend(Sha256::digest(&client));
        let signature = self.key.sign(&SystemRandom::new(), &signed).unwrap();
        self.credential(json!({
            "clientDataJSON": text(client),
            "authenticatorData": text(data),
            "signature": text(signature.as_ref()),
            "userHandle": text(&self.handle),
        }))
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let asked = options["challenge"].as_str().unwrap();
        let said = json!({
            "type": self.kind.unwrap_or(kind),
            "challenge": self.challenge.as_deref().unwrap_or(asked),
            "origin": self.origin,
            "crossOrigin": false,
        });
        said.to_string().into_bytes()
    }

    fn data(&self, more: u8) -> Vec<u8> {
        let mut data = Sha256::digest(&self.host).to_vec();
        data.push(self.flags | more);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn credential(&self, response: Value) -> Value {
        json!({
            "id": text(&self.id),
            "rawId": text(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        })
    }
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
