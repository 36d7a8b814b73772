//! The integration tests of `portcullis-oauth`, as one binary.

#[cfg(test)]
mod corpus;
