//! Any serde value as JSON text, the form in which lws_smd's well-known messages travel.

use super::{Payload, PayloadError};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::error::Category;

/// A value that travels as JSON text.
///
/// It is written straight into the draft, without an allocation of its own.
///
/// ```
/// use smd_lockfree::{Json, Payload};
///
/// let mut out = [0; smd_lockfree::MAX_PAYLOAD];
/// let used = Json((String::from("up"), 3)).encode(&mut out)?;
/// assert_eq!(&out[..used], br#"["up",3]"#);
/// let Json((state, count)) = Json::<(String, u32)>::decode(&out[..used])?;
/// assert_eq!((state.as_str(), count), ("up", 3));
/// # Ok::<(), smd_lockfree::PayloadError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Json<T>(pub T);

impl<T: Serialize + DeserializeOwned> Payload for Json<T> {
    fn encode(&self, out: &mut [u8]) -> Result<usize, PayloadError> {
        let max = out.len();
        let mut rest = out;
        serde_json::to_writer(&mut rest, &self.0).map_err(|error| match error.classify() {
            // A slice reports nothing else than that it is full.
            Category::Io => PayloadError::TooLong { max },
            _ => PayloadError::Invalid("the value has no JSON form"),
        })?;
        Ok(max - rest.len())
    }

    fn decode(bytes: &[u8]) -> Result<Self, PayloadError> {
        serde_json::from_slice(bytes).map(Json).map_err(|error| match error.classify() {
            Category::Eof => PayloadError::Truncated,
            Category::Data => PayloadError::Invalid("the JSON is not of this type"),
            _ => PayloadError::Invalid("not JSON"),
        })
    }
}
