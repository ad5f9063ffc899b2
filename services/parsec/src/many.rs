//! `parsec provide --cids`: many keys at once on any network, and what came of each.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use parsec_actors::telemetry::metrics::Role;
use parsec_dht::{Dht, MANY_LIMIT, Node};
use parsec_measure::{Cid, MAX_CID_CHARS, MAX_KEYS_AT_ONCE, Manner, OperationKind, ProvidedMany, read_key_list};
use parsec_show::many;

use crate::oneshot::{join, stay_on};
use crate::process::{self, Process};
use parsec_output as output;
use parsec_settings::{OneShotConfig, OutputFormat};

/// The name of a file that means standard input.
const STDIN: &str = "-";

/// The longest list: as many keys as are published at once, each as long as it may be, with the end of its line.
const MAX_LIST_BYTES: u64 = (MAX_KEYS_AT_ONCE * (MAX_CID_CHARS + 2)) as u64;

/// Publishes all keys of a list: 0 if each of them is at some peer, 1 if one is at none, or if it could not be tried.
pub(crate) async fn run(config: OneShotConfig, list: &Path, manner: Manner, stay: bool) -> anyhow::Result<ExitCode> {
    // Before anything else: whoever types the list may still break it off like any other program.
    let cids = read(list)?;
    process::raise_file_limit();
    let process = Process::start(Role::Server)?;
    let joining = join(&config, stay, OperationKind::Provide);
    let Some(node) = process.unless_stopped(joining).await else { return Ok(ExitCode::FAILURE) };
    let node = node?;
    let ended = match process.unless_stopped(publish(&node, &config, cids, manner)).await {
        Some(Ok(all)) => conclude(&process, &node, &all, stay).await,
        None => Ok(ExitCode::FAILURE),
        Some(Err(error)) => Err(error),
    };
    node.stop().await;
    ended
}

fn read(list: &Path) -> anyhow::Result<Vec<Cid>> {
    let is_stdin = list == Path::new(STDIN);
    let name = if is_stdin { "standard input".to_owned() } else { list.display().to_string() };
    let bytes = if is_stdin { bounded(io::stdin()) } else { File::open(list).and_then(bounded) };
    let bytes = bytes.with_context(|| format!("cannot read {name}"))?;
    if bytes.len() as u64 > MAX_LIST_BYTES {
        bail!(
            "{name} has more than {MAX_LIST_BYTES} bytes; {MAX_KEYS_AT_ONCE} CIDs, which are published at once, have less"
        );
    }
    let Ok(text) = String::from_utf8(bytes) else { bail!("{name} is no text; expected a CID on each line") };
    read_key_list(&text).with_context(|| format!("cannot use {name}"))
}

/// What is in it, and one byte more than is wanted of one that is too long.
fn bounded(source: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(MAX_LIST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Publishes the keys and prints the result.
async fn publish(node: &Node, config: &OneShotConfig, cids: Vec<Cid>, manner: Manner) -> anyhow::Result<ProvidedMany> {
    let minutes = MANY_LIMIT.as_secs() / 60;
    output::note(&format!("publishing {} keys, for {minutes} minutes at most", cids.len()));
    let all = node.provide_many(cids, manner).await.context("cannot publish the keys")?;
    output::line(&match config.format {
        OutputFormat::Text => many::text(config.dht.strategy, &all),
        OutputFormat::Json => parsec_show::json(&many::document(&node.peer_id(), config.dht.strategy, &all)),
    })?;
    Ok(all)
}

/// What is left to do after the result is printed: records that name this process are only useful while it runs.
async fn conclude(process: &Process, node: &Node, all: &ProvidedMany, stay: bool) -> anyhow::Result<ExitCode> {
    let unconfirmed = all.keys.iter().filter(|key| key.stored > 0 && key.confirmed == 0).count();
    if unconfirmed > 0 {
        output::note(&format!(
            "no peer has confirmed that it took in the records of {unconfirmed} keys: they may be lost"
        ));
    }
    let records = format!("the records name this process, peer {}", node.peer_id());
    let is_there = all.lost() < all.keys.len();
    if stay && is_there {
        output::note(&format!("{records}, which runs until Ctrl-C and listens on port {}", node.port()));
        stay_on(process, node).await?;
    } else if is_there {
        output::note(&format!("{records}, which ends now (--stay keeps it running)"));
    }
    Ok(if all.lost() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_cannot_be_used_is_named_with_what_is_wrong() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys.txt");
        let name = path.display().to_string();
        let long = vec![b'\n'; usize::try_from(MAX_LIST_BYTES).unwrap() + 1];
        for (list, words) in [
            (&b"\n"[..], format!("cannot use {name}: there is no CID in it; expected 1 to 5000")),
            (b"\n\nQmnonsense", format!("cannot use {name}: line 3: `Qmnonsense` is not a CID")),
            (b"Qm\xff", format!("{name} is no text; expected a CID on each line")),
            (&long, format!("{name} has more than 5130000 bytes; 5000 CIDs")),
        ] {
            std::fs::write(&path, list).unwrap();
            let message = format!("{:#}", read(&path).unwrap_err());
            assert!(message.starts_with(&words), "{message}");
        }
        let message = format!("{:#}", read(&directory.path().join("nowhere")).unwrap_err());
        assert!(message.contains("nowhere: No such file"), "{message}");
    }
}
