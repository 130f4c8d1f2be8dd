//! Events of the slow paths through the `tracing` crate, when the feature of that name is on.

/// Tells of an event at debug level; nothing without the feature.
macro_rules! event {
    ($core:expr, $text:literal $(, $name:ident = $value:expr)*) => {{
        #[cfg(feature = "tracing")]
        tracing::debug!(bus = $core.config.name.as_str(), $($name = $value,)* $text);
        #[cfg(not(feature = "tracing"))]
        {
            let _ = (&$core, $(&$value,)*);
        }
    }};
}

pub(crate) use event;
