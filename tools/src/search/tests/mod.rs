mod classification;
mod oracle;
mod simulated;
mod sut;
