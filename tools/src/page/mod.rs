//! The report as a page: one HTML file, with nothing outside it.
//!
//! | module | holds |
//! |---|---|
//! | `input` | results as files have them, and what is wrong with files |
//! | `group` | runs of one name, their medians and their spread |
//! | `chart` | plots, as SVG that takes its colours from the page |
//! | `section` | the parts of the page, one file each |
//!
//! The page has no script and asks the network for nothing; its policy (CSP) forbids either, but for the flame
//! graph, which is in a frame of its own where its script can reach nothing else. Markup is written by templates
//! that escape every text, so that no result can bring its own.
//!
//! Plots are drawn here and not by a library: theirs have their colours in each element, where neither a dark
//! scheme nor print can change them, and no text beside the picture. Each plot here has its figures as a table.

mod chart;
mod group;
mod input;
mod section;
#[cfg(test)]
mod tests;

pub use input::{BadResult, Source};

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use input::Inputs;

/// What a page is made of.
#[derive(Debug)]
pub struct Page {
    inputs: Inputs,
    flamegraph: Option<String>,
}

/// The flame graph's script runs in a frame that has no origin; it may load nothing, and its frame may go nowhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; frame-src data:; img-src data:; \
     base-uri 'none'; form-action 'none'";

impl Page {
    /// Reads the results, and the flame graph if there is one.
    ///
    /// # Errors
    /// A file cannot be read, or is none of that kind.
    pub fn read(sources: &[Source], flamegraph: Option<&Path>) -> Result<Self, BadResult> {
        Ok(Self {
            inputs: Inputs::read(sources)?,
            flamegraph: flamegraph.map(input::read_svg).transpose()?,
        })
    }

    /// How many results it has.
    pub fn results(&self) -> usize {
        self.inputs.count()
    }

    /// The HTML.
    pub fn html(&self) -> String {
        let sections = self.sections();
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="color-scheme" content="light dark";
                    title { "corelane report: " (self.inputs.title()) }
                    // No text of a result in it.
                    style { (PreEscaped(include_str!("style.css"))) }
                }
                body {
                    header {
                        p.brand { "corelane report" }
                        h1 { (self.inputs.title()) }
                        p.subtitle { (self.inputs.subtitle()) }
                    }
                    nav aria-label="Sections" {
                        ul {
                            @for section in &sections {
                                li { a href={ "#" (section.id) } { (section.title) } }
                            }
                        }
                    }
                    main {
                        @for section in &sections {
                            section id=(section.id) {
                                h2 { (section.title) }
                                (section.body)
                            }
                        }
                    }
                }
            }
        };
        page.into_string()
    }

    /// The sections that there is data for.
    fn sections(&self) -> Vec<section::Section> {
        let mut sections = section::all(&self.inputs);
        if let Some(svg) = &self.flamegraph {
            let at = sections
                .iter()
                .position(|section| section.id == "ledger")
                .unwrap_or(sections.len());
            sections.insert(
                at,
                section::Section {
                    id: "flamegraph",
                    title: "Flame graph",
                    body: flamegraph(svg),
                },
            );
        }
        sections
    }
}

/// In a frame without an origin: whatever is in the file, it cannot reach the page.
fn flamegraph(svg: &str) -> Markup {
    let data = format!("data:image/svg+xml;base64,{}", BASE64_STANDARD.encode(svg));
    html! {
        p { "Width is the share of samples; a click widens a function, Ctrl-F finds one." }
        iframe.flamegraph sandbox="allow-scripts" title="Flame graph" src=(data)
            style={ "height:" (input::svg_height(svg)) "px" } {}
        // As wide as paper is; what is in an image runs no script.
        img.print src=(data) alt="Flame graph";
    }
}
