mod burst;
mod classification;
mod oracle;
mod simulated;
mod sut;
