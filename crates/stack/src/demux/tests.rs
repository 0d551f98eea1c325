//! The search order against a linear search written from BEHAVIOURS K5 to K7.
