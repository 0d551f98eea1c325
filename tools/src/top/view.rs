//! What happened, on a terminal.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Gauge, Paragraph, Row, Table};

use super::rates::{NicRates, Rates};
use super::text::{percent, short};

/// Rows of the drops at most.
const DROPS: usize = 12;

/// Draws all of it; before the first interval is over, that it is awaited.
pub(super) fn draw(frame: &mut Frame<'_>, socket: &str, rates: Option<&Rates>) {
    let Some(rates) = rates else {
        let text = format!("{socket}: the first interval is not over yet. q quits");
        frame.render_widget(Paragraph::new(text), frame.area());
        return;
    };
    let drops = rates.drops.len().clamp(1, DROPS);
    let rows = |n: usize| Constraint::Length(u16::try_from(n + 3).unwrap_or(u16::MAX));
    let [title, nics, dropped, threads] = Layout::vertical([
        Constraint::Length(1),
        rows(rates.nics.len()),
        rows(drops),
        Constraint::Min(3),
    ])
    .areas(frame.area());
    let seconds = rates.interval.as_secs_f64();
    let heading = format!("corelane top  {socket}  every {seconds:.1} s  q quits");
    frame.render_widget(Line::from(heading).bold(), title);
    frame.render_widget(nic_table(&rates.nics, nics.width), nics);
    frame.render_widget(drop_table(rates), dropped);
    draw_threads(frame, threads, rates);
}

fn header(titles: impl IntoIterator<Item = &'static str>) -> Row<'static> {
    Row::new(titles).style(Style::new().bold())
}

/// What there is of a NIC behind its name and state, and how wide each is.
fn figures() -> [(&'static str, u16); 10] {
    let [a, b, c, d, e, f, g, h] = NicRates::TITLES.map(|title| (title, 9));
    [a, b, c, d, e, f, g, h, ("addrs", 6), ("neighs", 6)]
}

/// The places of these, the most wanted first: packets received, sent and dropped, delivered and forwarded, bits,
/// consumed, and how many addresses and neighbors.
const WANTED: [usize; 10] = [0, 2, 7, 4, 5, 1, 3, 6, 8, 9];

/// The places of the figures that have room in so many columns, with a space in front of each: one that is cut
/// off would be another figure.
fn fitting(mut room: u16) -> Vec<usize> {
    let widths = figures().map(|(_, width)| width + 1);
    let mut places: Vec<_> = WANTED
        .into_iter()
        .map_while(|place| {
            room = room.checked_sub(widths[place])?;
            Some(place)
        })
        .collect();
    places.sort_unstable();
    places
}

fn nic_table(nics: &[NicRates], width: u16) -> Table<'static> {
    const NAME: u16 = 12;
    let states = nics.iter().map(|nic| nic.state().len());
    let state = states.chain(["state".len()]).max().unwrap_or_default();
    let state = u16::try_from(state).unwrap_or(u16::MAX);
    let borders_and_space = 3;
    let taken = NAME.saturating_add(state).saturating_add(borders_and_space);
    let places = fitting(width.saturating_sub(taken));
    let row = |nic: &NicRates| {
        let rates = nic.rates().map(short).into_iter();
        let figures: Vec<_> = rates
            .chain([nic.addresses.to_string(), nic.neighbors.to_string()])
            .collect();
        let mut cells = vec![nic.name.clone(), nic.state().to_owned()];
        cells.extend(
            places
                .iter()
                .filter_map(|place| figures.get(*place).cloned()),
        );
        let style = match nic.state() {
            "down" | "no-carrier" | "failed" => Style::new().fg(Color::Red),
            "disabled" => Style::new().dim(),
            _ if nic.dropped_pps > 0.0 => Style::new().fg(Color::Yellow),
            _ => Style::new(),
        };
        Row::new(cells).style(style)
    };
    let shown = places.iter().map(|place| figures()[*place]);
    let (mut titles, mut widths) = (
        vec!["nic", "state"],
        vec![Constraint::Min(NAME), Constraint::Min(state)],
    );
    for (title, width) in shown {
        titles.push(title);
        widths.push(Constraint::Length(width));
    }
    let title = match WANTED.len() - places.len() {
        0 => "NICs, in a second".to_owned(),
        more => format!("NICs, in a second; a wider screen has {more} columns more"),
    };
    Table::new(nics.iter().map(row), widths)
        .header(header(titles))
        .block(Block::bordered().title(title))
}

fn drop_table(rates: &Rates) -> Table<'static> {
    let row = |drop: &super::rates::DropRate| {
        let cells = [
            drop.nic.clone(),
            drop.reason.clone(),
            short(drop.pps),
            drop.total.to_string(),
        ];
        let style = if drop.pps > 0.0 {
            Style::new().fg(Color::Yellow)
        } else {
            Style::new().dim()
        };
        Row::new(cells).style(style)
    };
    let widths = [
        Constraint::Length(12),
        Constraint::Min(24),
        Constraint::Length(10),
        Constraint::Length(14),
    ];
    let more = rates.drops.len().saturating_sub(DROPS);
    let title = match more {
        0 => "Dropped, by reason".to_owned(),
        more => format!("Dropped, by reason; {more} more"),
    };
    Table::new(rates.drops.iter().take(DROPS).map(row), widths)
        .header(header(["nic", "reason", "pps", "in all"]))
        .block(Block::bordered().title(title))
}

/// A bar for each thread.
fn draw_threads(frame: &mut Frame<'_>, area: ratatui::layout::Rect, rates: &Rates) {
    let block = Block::bordered().title("Threads, busy");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let lines = Layout::vertical(rates.threads.iter().map(|_| Constraint::Length(1)));
    for (thread, line) in rates.threads.iter().zip(lines.split(inner).iter()) {
        let name = match thread.core {
            Some(core) => format!("{} on core {core}", thread.name),
            None => thread.name.clone(),
        };
        let [left, right] =
            Layout::horizontal([Constraint::Length(44), Constraint::Min(10)]).areas(*line);
        let text = format!("{name:<30} {:>9} pps", short(thread.pps));
        frame.render_widget(Paragraph::new(text), left);
        if let Some(busy) = thread.busy {
            let gauge = Gauge::default()
                .ratio(busy.clamp(0.0, 1.0))
                .label(percent(Some(busy)))
                .gauge_style(Style::new().fg(Color::Green));
            frame.render_widget(gauge, right);
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::top::rates::tests::a_second;

    /// What is on the screen, line by line.
    fn screen(width: u16, height: u16, rates: Option<&Rates>) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal
            .draw(|frame| draw(frame, "/run/corelane/control.sock", rates))
            .unwrap();
        let buffer = terminal.backend().buffer();
        let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        (0..height).map(row).collect()
    }

    #[test]
    fn the_screen_has_nics_drops_and_threads() {
        let lines = screen(124, 18, Some(&a_second()));
        let text = lines.join("\n");
        let line = |words: &[&str]| {
            let has_all = |line: &&String| words.iter().all(|word| line.contains(word));
            assert!(lines.iter().any(|it| has_all(&it)), "{words:?}:\n{text}");
        };
        line(&["corelane top", "/run/corelane/control.sock", "q quits"]);
        line(&["wan", "up", "2.00k", "1.02M", "250", "200.00k", "1.50k"]);
        line(&["wan", "ip4_checksum", "200"]);
        line(&["wan", "invalid_address", "50", "57"]);
        line(&["worker-0 on core 1", "2.00k pps", "25.0%"]);
        line(&["distributor-wan", "2.00k pps"]);
    }

    #[test]
    fn the_state_of_a_link_is_there_on_narrow_screens_too() {
        let mut rates = a_second();
        rates.nics[0].state = Some("no-carrier".to_owned());
        for width in [60, 80, 100, 124] {
            let lines = screen(width, 18, Some(&rates));
            let has_it = |line: &String| line.contains("wan") && line.contains("no-carrier");
            assert!(lines.iter().any(has_it), "{}", lines.join("\n"));
        }
    }

    #[test]
    fn a_figure_has_all_its_room_or_is_not_there() {
        let mut rates = a_second();
        rates.nics[0].received_pps = 123_456_789.0;
        rates.nics[0].forwarded_pps = 987_654_321.0;
        for width in 0..140 {
            let text = screen(width, 18, Some(&rates)).join("\n");
            for (figure, cut) in [("123.46M", "123.4"), ("987.65M", "987.6")] {
                assert_eq!(
                    text.contains(cut),
                    text.contains(figure),
                    "{width}:\n{text}"
                );
            }
            assert_eq!(text.contains("123.46M"), width >= 30, "{width}");
        }
        assert_eq!(fitting(9), [] as [usize; 0]);
        assert_eq!(fitting(30), [0, 2, 7]);
        assert_eq!(fitting(u16::MAX).len(), WANTED.len());
    }

    #[test]
    fn any_size_will_do_and_so_will_nothing() {
        for (width, height) in [(1, 1), (10, 3), (40, 8), (300, 100)] {
            screen(width, height, Some(&a_second()));
            screen(width, height, None);
        }
        let text = screen(80, 2, None).join("");
        assert!(text.contains("not over yet"), "{text}");
    }
}
