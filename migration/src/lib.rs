//! How the schema got here; append-only.
