//! One interval after the other, until somebody has seen enough.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use super::rates::Rates;
use super::sample::Sample;
use super::{text, view};
use crate::control::Client;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::run::{Failure, Output};

/// How late a key or a signal is seen at most.
const LOOK: Duration = Duration::from_millis(100);

/// What is to be seen, and how.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The control socket.
    pub socket: PathBuf,
    /// From one look to the next.
    pub interval: Duration,
    /// One interval only.
    pub once: bool,
    /// Where lines of JSON go; - is standard output.
    pub json: Option<PathBuf>,
}

/// Shows a host that is up.
///
/// # Errors
/// There is none, or it ends: in words.
pub fn run(setting: &Setting, interrupt: &Interrupt) -> Result<Exit, Failure> {
    let mut output = Output::new(setting.json.as_deref(), &[])?;
    let mut client = Client::connect(&setting.socket).map_err(Failure::Run)?;
    let before = Sample::take(&mut client).map_err(Failure::Run)?;
    let mut looks = Looks {
        client,
        before,
        interval: setting.interval,
    };
    if setting.once || setting.json.is_some() || !io::stdout().is_terminal() {
        return in_lines(&mut looks, &mut output, setting.once, interrupt);
    }
    let mut terminal = ratatui::try_init().map_err(|error| {
        // It may have come half the way.
        let _ = ratatui::try_restore();
        Failure::Run(format!("the terminal cannot be drawn on: {error}"))
    })?;
    let result = on_terminal(&mut terminal, &mut looks, &setting.socket, interrupt);
    // Whatever happened; a panic does the same.
    ratatui::restore();
    result
}

/// Looks at a host, again and again.
struct Looks {
    client: Client,
    before: Sample,
    interval: Duration,
}

impl Looks {
    /// When the next one is due.
    fn due(&self) -> Instant {
        self.before.at + self.interval
    }

    fn next(&mut self) -> Result<Rates, Failure> {
        let now = Sample::take(&mut self.client).map_err(Failure::Run)?;
        let rates = Rates::between(&self.before, &now);
        self.before = now;
        Ok(rates)
    }
}

fn in_lines(
    looks: &mut Looks,
    output: &mut Output,
    once: bool,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    loop {
        while Instant::now() < looks.due() {
            if interrupt.is_raised() {
                return Ok(Exit::Done);
            }
            let left = looks.due().saturating_duration_since(Instant::now());
            thread::sleep(left.min(LOOK));
        }
        let rates = looks.next()?;
        let mut text = text::lines(&rates);
        if !once {
            text.push('\n');
        }
        let is_read = output.write_to_reader(&text, &text::json(&rates).to_string())?;
        if once || !is_read {
            return Ok(Exit::Done);
        }
    }
}

fn on_terminal(
    terminal: &mut DefaultTerminal,
    looks: &mut Looks,
    socket: &Path,
    interrupt: &Interrupt,
) -> Result<Exit, Failure> {
    let failed = |error: io::Error| Failure::Run(format!("the terminal: {error}"));
    let socket = socket.display().to_string();
    let mut rates = None;
    loop {
        terminal
            .draw(|frame| view::draw(frame, &socket, rates.as_ref()))
            .map_err(failed)?;
        let is_over = |now: Instant| now >= looks.due();
        while !is_over(Instant::now()) {
            if interrupt.is_raised() {
                return Ok(Exit::Done);
            }
            let left = looks.due().saturating_duration_since(Instant::now());
            if event::poll(left.min(LOOK)).map_err(failed)? {
                match event::read().map_err(failed)? {
                    Event::Key(key) if key.kind != KeyEventKind::Release => match key.code {
                        KeyCode::Char('q') | KeyCode::Esc => return Ok(Exit::Done),
                        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                            return Ok(Exit::Done);
                        }
                        _ => {}
                    },
                    // It is drawn anew.
                    Event::Resize(..) => break,
                    _ => {}
                }
            }
        }
        if is_over(Instant::now()) {
            rates = Some(looks.next()?);
        }
    }
}
