//! When the clock starts a flow: `every`, `after` and `cron`, in the flow's time zone.

/// Reads a cron expression of five or six fields.
///
/// # Errors
///
/// What was wrong with it, and what would be right.
pub fn parse_cron(text: &str) -> Result<croner::Cron, String> {
    let wrong = |error: croner::errors::CronError| {
        format!(
            "`{text}` is no schedule: {error}; write minute, hour, day, month and day of the week, as in `0 5 * * MON`"
        )
    };
    text.parse().map_err(wrong)
}
