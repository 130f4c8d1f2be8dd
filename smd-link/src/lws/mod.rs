//! The protocol of the libwebsockets proxy for `_lws_smd`, both sides.
