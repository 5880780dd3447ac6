//! Places in a list ordered newest first by (time, id), as opaque text.

use goblin_core::clock::Timestamp;

use crate::error::StoreError;

/// The last row of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) at: Timestamp,
    pub(crate) id: String,
}

impl Cursor {
    /// Before the first row: newer than anything.
    pub(crate) fn start() -> Self {
        Self {
            at: Timestamp(i64::MAX),
            id: String::new(),
        }
    }

    pub(crate) fn encode(&self) -> String {
        hex::encode(format!("{}:{}", self.at.0, self.id))
    }

    /// Reads [`Self::encode`]; `None` is the start.
    pub(crate) fn decode(text: Option<&str>) -> Result<Self, StoreError> {
        let Some(text) = text else {
            return Ok(Self::start());
        };
        if text.len() > 200 {
            return Err(StoreError::InvalidCursor);
        }
        let bytes = hex::decode(text).map_err(|_| StoreError::InvalidCursor)?;
        let plain = String::from_utf8(bytes).map_err(|_| StoreError::InvalidCursor)?;
        let (at, id) = plain.split_once(':').ok_or(StoreError::InvalidCursor)?;
        let at = at.parse().map_err(|_| StoreError::InvalidCursor)?;
        Ok(Self {
            at: Timestamp(at),
            id: id.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_trip_and_nonsense_is_refused() {
        let cursor = Cursor {
            at: Timestamp(-5),
            id: "a:b".into(),
        };
        assert_eq!(Cursor::decode(Some(&cursor.encode())).unwrap(), cursor);
        assert_eq!(Cursor::decode(None).unwrap(), Cursor::start());
        for bad in ["zz", "00", "", "616263", &"00".repeat(200)] {
            assert!(
                matches!(Cursor::decode(Some(bad)), Err(StoreError::InvalidCursor)),
                "{bad}"
            );
        }
    }
}
