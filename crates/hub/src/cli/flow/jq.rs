//! `quartet flow jq`: an expression, tried.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use quartet_process::expr::Question;
use serde_json::Value;

use super::super::{flow::read, out::say};
use crate::shell::jq::{self, Asked};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  quartet flow jq '.value > 20' --input reading.json
  echo '{\"value\": 21}' | quartet flow jq '.value * $factor' --let factor=2")]
pub(super) struct Jq {
    /// In jq, with or without ${ } around it
    expression: String,
    /// A file with what it looks at, as JSON; - is standard input
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// What it may name, without $; may be repeated
    #[arg(long = "let", value_name = "NAME=JSON", value_parser = named)]
    names: Vec<(String, Value)>,
    /// What time it is
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
}

fn named(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("must be like factor=2")?;
    // What is no JSON is text.
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    Ok((name.to_owned(), value))
}

impl Jq {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let input = match &self.input {
            None => Value::Null,
            Some(file) => {
                let text = match file.as_os_str() == "-" {
                    true => std::io::read_to_string(std::io::stdin())?,
                    false => read(file)?,
                };
                serde_json::from_str(&text).context("the input is no JSON")?
            }
        };
        let question = Question {
            expression: self.expression.clone(),
            input,
            names: self.names.into_iter().collect(),
            now: self.now,
        };
        let answer = jq::Jq::default().ask(&Asked::Expression(question))?;
        let column = |of: &Value| of["column"].as_u64().unwrap_or(1).max(1) as usize;
        if let Some(error) = answer["error"].as_str() {
            match answer.get("column") {
                Some(_) => bail!(
                    "{error}\n  {}\n  {:>2$}",
                    self.expression,
                    "^",
                    column(&answer)
                ),
                None => bail!("{error}"),
            }
        }
        say(format!("{}\n", answer["value"]).as_bytes())?;
        if let Some(what) = answer["beyond"]["what"].as_str() {
            eprintln!("quartet: fast flows and signals cannot use this: {what}");
        }
        Ok(())
    }
}
