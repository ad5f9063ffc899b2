//! Where a result goes, and in which form.

use std::process::ExitCode;

use parsec_output as output;
use parsec_settings::{CompareFormat, ResultsFormat};
use serde_json::Value;

/// A result in each form in which it can be asked for.
pub(crate) struct Written<'a> {
    pub(crate) text: &'a dyn Fn() -> String,
    pub(crate) markdown: &'a dyn Fn() -> String,
    pub(crate) csv: &'a dyn Fn() -> String,
    pub(crate) json: &'a dyn Fn() -> Value,
}

/// Writes a result, and what there is to say of it: below it for people, and to stderr if the result is data for programs.
pub(crate) fn written(format: ResultsFormat, remark: &str, result: &Written<'_>) -> anyhow::Result<ExitCode> {
    match format {
        ResultsFormat::Text => output::line(&format!("{}\n\n{remark}", (result.text)()))?,
        ResultsFormat::Markdown => output::line(&format!("{}\n\n{remark}", (result.markdown)()))?,
        ResultsFormat::Json => {
            output::note(remark);
            output::line(&parsec_show::json(&(result.json)()))?;
        }
        ResultsFormat::Csv => {
            output::note(remark);
            output::table(&(result.csv)())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The form of a result that is no table, and so has no rows.
pub(crate) fn without_rows(format: CompareFormat) -> ResultsFormat {
    match format {
        CompareFormat::Text => ResultsFormat::Text,
        CompareFormat::Markdown => ResultsFormat::Markdown,
        CompareFormat::Json => ResultsFormat::Json,
    }
}
