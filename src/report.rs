//! Results as documents: tables for a terminal, JSON, Markdown and HTML.

pub mod drift;
