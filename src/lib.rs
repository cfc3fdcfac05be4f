//! linli.
