//! Formatting into a fixed buffer: no allocation, and nothing is ever cut.

use std::fmt::{self, Write};

use crate::error::SendError;
use crate::limits::MAX_PAYLOAD;

struct Buffer<'a> {
    bytes: &'a mut [u8],
    /// What was written, or would have been.
    len: usize,
}

impl Write for Buffer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        if let Some(place) = self.bytes.get_mut(self.len..end) {
            place.copy_from_slice(text.as_bytes());
        }
        // Goes on counting, so that the error can say how long the text is.
        self.len = end;
        Ok(())
    }
}

/// Formats `text` into `bytes`; its length.
///
/// # Errors
/// `Format` if an argument reports an error, `TooLong` if the text does not fit.
pub(crate) fn format_into(
    bytes: &mut [u8; MAX_PAYLOAD],
    text: fmt::Arguments<'_>,
) -> Result<usize, SendError> {
    let mut buffer = Buffer { bytes, len: 0 };
    buffer.write_fmt(text).map_err(|_| SendError::Format)?;
    SendError::check_len(buffer.len)?;
    Ok(buffer.len)
}

/// Sends formatted text, and formats nothing, not even evaluating the arguments, when nobody wants
/// the class.
///
/// The first argument is a [`Bus`](crate::Bus) or a [`Sender`](crate::Sender); the value is that of
/// its `send_fmt`.
///
/// ```
/// use smd_lockfree::{Bus, Class, Sent, smd_format};
///
/// let bus = Bus::new();
/// let sent = smd_format!(bus, Class::NETWORK, r#"{{"rt":"{}"}}"#, unreachable_argument())?;
/// assert_eq!(sent, Sent::Unwanted);
/// # fn unreachable_argument() -> &'static str { unreachable!() }
///
/// let mut routes = bus.register(Class::NETWORK)?;
/// smd_format!(bus, Class::NETWORK, r#"{{"rt":"{}"}}"#, "add")?;
/// assert_eq!(routes.try_recv()?.text()?, r#"{"rt":"add"}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[macro_export]
macro_rules! smd_format {
    ($via:expr, $class:expr, $($text:tt)+) => {{
        let (via, class) = (&$via, $class);
        if via.wants(class) {
            via.send_fmt(class, ::core::format_args!($($text)+))
        } else {
            via.__unwanted(class)
        }
    }};
}
