//! Which of some words a misspelt one was meant to be.

/// The candidate with the least edits (insert, delete, change, swap neighbours) from `word`, without
/// regard to case; the first of equals. None if there are no candidates, or if the best needs more
/// edits than half of the longer of the two.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let chars: Vec<char> = candidate.to_lowercase().chars().collect();
        let edits = distance(&word, &chars);
        let longer = word.len().max(chars.len());
        if edits * 2 <= longer && best.is_none_or(|(least, _)| edits < least) {
            best = Some((edits, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// The nearest candidate; if none is near, the first that begins with the word; if none does, `default`.
pub fn nearest_or<'a>(word: &str, candidates: &[&'a str], default: &'a str) -> &'a str {
    let begins = |candidate: &&&str| !word.is_empty() && candidate.starts_with(word);
    nearest(word, candidates.iter().copied())
        .or_else(|| candidates.iter().find(begins).copied())
        .unwrap_or(default)
}

/// Optimal string alignment distance.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, &y) in b.iter().enumerate() {
            let mut least = (last[j + 1] + 1)
                .min(row[j] + 1)
                .min(last[j] + usize::from(x != y));
            if i > 0 && j > 0 && x == b[j - 1] && a[i - 1] == y {
                least = least.min(before_last[j - 1] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}
