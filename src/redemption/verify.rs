//! What must hold of goods and redemptions.
