//! Colours, and what the phases look like.

use anstyle::{AnsiColor, Style};

/// What people look for first.
pub const STRONG: Style = Style::new().bold();
/// What they need now and then.
pub const FAINT: Style = Style::new().dimmed();

/// The colour of a phase.
pub fn of_phase(phase: &str) -> Style {
    match phase {
        "Succeeded" => AnsiColor::Green.on_default(),
        "Failed" | "Vanished" => AnsiColor::Red.on_default(),
        "Running" => AnsiColor::Cyan.on_default(),
        "Waiting" | "Cancelled" => AnsiColor::Yellow.on_default(),
        _ => FAINT,
    }
}

/// One sign for a phase, one column wide.
pub fn sign(phase: &str) -> &'static str {
    match phase {
        "Succeeded" => "✓",
        "Failed" | "Vanished" => "✗",
        "Running" => "●",
        "Waiting" => "◐",
        "Cancelled" => "■",
        "Skipped" | "Void" => "−",
        _ => "○",
    }
}

/// `text` in a style.
pub fn paint(style: Style, text: &str) -> String {
    if text.is_empty() || style == Style::new() { text.to_owned() } else { format!("{style}{text}{style:#}") }
}
