//! What is stored: one file per table.
