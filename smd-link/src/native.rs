//! Our own protocol, both sides.
