//! Where a database is and who one is to it, when it is given in parts.

use std::net::IpAddr;

use crate::values::{Reading, text};

/// The most servers that can be named: a primary, and more replicas than one fails over to.
const MAX_HOSTS: usize = 8;

/// Names, addresses with or without brackets, or directories of Unix sockets, separated by commas; the brackets are dropped.
pub(crate) fn database_hosts(list: &str) -> Reading<String> {
    no_url(list)?;
    let hosts: Vec<_> = list.split(',').map(|host| database_host(host.trim())).collect::<Reading<_>>()?;
    if hosts.len() > MAX_HOSTS {
        return Err(format!("expected {MAX_HOSTS} hosts at most"));
    }
    Ok(hosts.join(","))
}

fn database_host(host: &str) -> Reading<&str> {
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let plain = bracketed.unwrap_or(host);
    let is_name = || plain.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c));
    let is_fit = match bracketed {
        Some(inside) => inside.contains(':') && is_address(inside),
        None => plain.starts_with('/') || is_address(plain) || is_name(),
    };
    if is_fit && !plain.is_empty() {
        return Ok(plain);
    }
    Err("expected a host name, an IP address, or the directory of a Unix socket such as /run/postgresql; \
         the port belongs in --db-port"
        .to_owned())
}

/// An address of a link may name the interface, as in `fe80::1%eth0`.
fn is_address(text: &str) -> bool {
    text.split_once('%').map_or(text, |(address, _)| address).parse::<IpAddr>().is_ok()
}

/// The name of a database or of a user: any text, but none that was meant for another setting.
pub(crate) fn name_in_database(name: &str) -> Reading<String> {
    no_url(name)?;
    text(name)
}

/// How connection strings begin.
const KEYWORDS: [&str; 7] = ["host", "hostaddr", "port", "dbname", "user", "password", "sslmode"];

/// PostgreSQL's own clients take a URL or a connection string in such places.
fn no_url(text: &str) -> Reading<()> {
    let keyword = text.split_once('=').map(|(before, _)| before.trim());
    if text.contains("://") || keyword.is_some_and(|word| KEYWORDS.contains(&word)) {
        return Err("a URL belongs in --database-url, and a connection string in the settings that --db-host and its \
                    neighbours are"
            .to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::tests::{file, parts, run, server};

    fn host(text: &str) -> String {
        parts(server(&format!("--db-host {text}"), &[])).host
    }

    #[test]
    fn a_database_is_at_a_name_an_address_or_a_socket() {
        for (given, read) in [
            ("db.internal", "db.internal"),
            ("10.0.0.1", "10.0.0.1"),
            ("::1", "::1"),
            ("[::1]", "::1"),
            ("fe80::1%eth0", "fe80::1%eth0"),
            ("/run/postgresql", "/run/postgresql"),
            ("db-1,[::1],/run/pg", "db-1,::1,/run/pg"),
        ] {
            assert_eq!(host(given), read);
        }
    }

    #[test]
    fn what_is_no_host_is_refused_with_what_would_be_right() {
        for (given, word) in [
            ("[::1", "IP address"),
            ("[[::1]]", "IP address"),
            ("[db]", "IP address"),
            ("db:5432", "--db-port"),
            ("db/x", "directory of a Unix socket"),
            ("db,,db", "host name"),
            ("1,2,3,4,5,6,7,8,9", "8 hosts at most"),
        ] {
            let message = run(&format!("server --db-host {given}"), &[]).unwrap_err();
            assert!(message.starts_with("error: flag --db-host: cannot use `"), "{message}");
            assert!(message.contains(word), "{message}");
        }
    }

    /// Wherever it is written, and in each of the settings that PostgreSQL's own clients take a URL in.
    #[test]
    fn a_url_or_login_in_a_part_of_the_address_is_refused_without_its_password() {
        for given in [
            "postgres://ann:geheim@db/parsec",
            "postgresql://db/parsec?user=ann&password=geheim",
            "ann:geheim@db",
            "password=geheim",
        ] {
            for (flag, variable, key) in [
                ("--db-host", "PARSEC_DATABASE_HOST", "host"),
                ("--db-name", "PARSEC_DATABASE_NAME", "name"),
                ("--db-user", "PARSEC_DATABASE_USER", "user"),
            ] {
                if given.contains('@') && !given.contains("://") && flag != "--db-host" {
                    continue;
                }
                let (_dir, path) = file("p.toml", &format!("[database]\n{key} = '{given}'\n"));
                for message in [
                    run(&format!("server {flag} {given}"), &[]).unwrap_err(),
                    run("server", &[(variable, given)]).unwrap_err(),
                    run(&format!("server --config {}", path.display()), &[]).unwrap_err(),
                ] {
                    assert!(!message.contains("geheim") && message.contains("***"), "{message}");
                    assert!(
                        message.contains("--database-url") || message.contains("expected a host name"),
                        "{message}"
                    );
                }
            }
        }
    }
}
