//! The denylists of a server in server mode: read at the start, and again when that is asked for, within bounds.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use parsec_actors::telemetry::metrics::Metrics;
use parsec_dht::{BadLine, BadbitsReader, DeniedCidsReader, DenylistName, DenylistWatch, Denylists};
use tracing::{info, warn};

use parsec_settings::{DenylistFiles, ServerConfig};

/// How many bytes of a file are read. The public badbits list has 30 MB.
const BOUNDS: Bounds = Bounds { file: 1 << 30, line: 2 << 20 };

#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Bytes of a whole file.
    file: usize,
    /// Bytes of a line (specs.ipfs.tech/compact-denylist-format: 2 MiB).
    line: usize,
}

/// Reads the configured denylists, and has requests for their content counted; `None` if there are none.
///
/// # Errors
/// Names the file, the line and what would be right.
pub(crate) async fn watch(config: &ServerConfig, metrics: &Arc<Metrics>) -> anyhow::Result<Option<DenylistWatch>> {
    if config.denylists == DenylistFiles::default() {
        return Ok(None);
    }
    if !config.server_mode {
        warn!(
            "without --server-mode other peers send this node no requests: --badbits and --denied-cids have no effect"
        );
    }
    let files = config.denylists.clone();
    let lists = tokio::task::spawn_blocking(move || read(&files)).await.context("reading the denylists")??;
    lists.names().into_iter().for_each(|list| metrics.watched(list));
    let metrics = Arc::clone(metrics);
    Ok(Some(DenylistWatch::new(lists, move |list, request| metrics.denied(list, request))))
}

/// Reads the lists again, and has them used. Takes seconds.
///
/// # Errors
/// As with [`watch`].
pub(crate) fn read_again(files: &DenylistFiles, watch: &DenylistWatch) -> anyhow::Result<()> {
    watch.replace(read(files)?);
    Ok(())
}

fn read(files: &DenylistFiles) -> anyhow::Result<Denylists> {
    let mut lists = Denylists::default();
    if let Some(path) = &files.badbits {
        let mut reader = BadbitsReader::default();
        each_line(DenylistName::Badbits, path, BOUNDS, |line| reader.line(line))?;
        let list = reader.finish().with_context(|| place(DenylistName::Badbits, path))?;
        info!(path = %path.display(), entries = list.len(), other_rules = list.skipped(), "badbits list read");
        lists.badbits = Some(list);
    }
    if let Some(path) = &files.denied_cids {
        let mut reader = DeniedCidsReader::default();
        each_line(DenylistName::DeniedCids, path, BOUNDS, |line| reader.line(line))?;
        let list = reader.finish();
        info!(path = %path.display(), entries = list.len(), "list of denied CIDs read");
        lists.denied_cids = Some(list);
    }
    Ok(lists)
}

fn place(list: DenylistName, path: &Path) -> String {
    let flag = match list {
        DenylistName::Badbits => "--badbits",
        DenylistName::DeniedCids => "--denied-cids",
    };
    format!("list {} ({flag})", path.display())
}

/// Passes each line to `take`, including its line ending.
fn each_line(
    list: DenylistName,
    path: &Path,
    bounds: Bounds,
    mut take: impl FnMut(&str) -> Result<(), BadLine>,
) -> anyhow::Result<()> {
    let unreadable = || format!("{}: cannot read it", place(list, path));
    // Opening a pipe would block until somebody writes into it.
    if !path.metadata().with_context(unreadable)?.is_file() {
        bail!("{}: it is not a regular file", place(list, path));
    }
    let mut reader = BufReader::new(File::open(path).with_context(unreadable)?);
    let (mut line, mut total) = (Vec::new(), 0);
    for number in 1_u64.. {
        line.clear();
        let here = || format!("{}, line {number}", place(list, path));
        let end = bounds.line as u64 + 1;
        let length = reader.by_ref().take(end).read_until(b'\n', &mut line).with_context(unreadable)?;
        if length == 0 {
            break;
        }
        total += length;
        if total > bounds.file {
            bail!("{}: the file is longer than {} bytes", here(), bounds.file);
        }
        if length > bounds.line {
            bail!("{}: the line is longer than {} bytes", here(), bounds.line);
        }
        let text = str::from_utf8(&line).map_err(|error| anyhow::anyhow!("{}: not UTF-8 text: {error}", here()))?;
        take(text).with_context(here)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Bounds = Bounds { file: 20, line: 8 };

    /// What is wrong with a file of this content, or its lines.
    fn lines(content: &[u8]) -> Result<Vec<String>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let mut lines = Vec::new();
        let read = each_line(DenylistName::Badbits, file.path(), SMALL, |line| {
            lines.push(line.trim_end().to_owned());
            Ok(())
        });
        read.map(|()| lines).map_err(|error| format!("{error:#}").replace(&file.path().display().to_string(), "FILE"))
    }

    #[test]
    fn a_file_is_read_line_by_line_up_to_its_bounds() {
        assert_eq!(lines(b"1234567\n\r\n12345678").unwrap(), ["1234567", "", "12345678"]);
        assert_eq!(lines(b"").unwrap(), Vec::<String>::new());
        let place = "list FILE (--badbits)";
        for (content, line, reason) in [
            (&b"1\n123456789\n"[..], 2, "the line is longer than 8 bytes"),
            (b"123456789", 1, "the line is longer than 8 bytes"),
            (b"1\n2\n3\n4\n5\n6\n7\n8\n9\n0\n1", 11, "the file is longer than 20 bytes"),
            (b"1\n\x1f\x8b\x08", 2, "not UTF-8 text: invalid utf-8 sequence of 1 bytes from index 1"),
        ] {
            assert_eq!(lines(content).unwrap_err(), format!("{place}, line {line}: {reason}"));
        }
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (path, reason) in [
            (pipe.as_path(), "it is not a regular file"),
            (directory.path(), "it is not a regular file"),
            (Path::new("/nowhere/list"), "cannot read it: No such file or directory (os error 2)"),
        ] {
            let files = DenylistFiles { denied_cids: Some(path.to_owned()), ..DenylistFiles::default() };
            let error = format!("{:#}", read(&files).unwrap_err());
            assert_eq!(error, format!("list {} (--denied-cids): {reason}", path.display()));
        }
    }
}
