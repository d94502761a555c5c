//! The text of a container's /etc/hosts and /etc/resolv.conf; pure.

use std::net::IpAddr;

/// A line of /etc/hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostsEntry {
    /// The address.
    pub address: IpAddr,
    /// Its names, the canonical one first.
    pub names: Vec<String>,
}

/// The names that every container has: those of Debian and Docker.
const LOCAL_NAMES: &str = "127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
ff00::0\tip6-mcastprefix
ff02::1\tip6-allnodes
ff02::2\tip6-allrouters
";

/// /etc/hosts: localhost, then the entries in their order. Names that would end the line or begin a comment are left out.
pub fn hosts_file(entries: &[HostsEntry]) -> String {
    let is_name = |name: &&String| {
        !name.is_empty()
            && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control() || letter == '#')
    };
    let line = |entry: &HostsEntry| {
        let names: Vec<_> = entry.names.iter().filter(is_name).map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("{}\t{}\n", entry.address, names.join(" ")))
    };
    std::iter::once(LOCAL_NAMES.to_owned()).chain(entries.iter().filter_map(line)).collect()
}

/// What a resolv.conf says (resolv.conf(5)), in the order in which it says it.
#[derive(Debug, Default)]
struct Resolver<'a> {
    servers: Vec<IpAddr>,
    search: Vec<&'a str>,
    options: Vec<&'a str>,
}

impl<'a> Resolver<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parsed = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => parsed.servers.extend(words.next().and_then(|word| word.parse::<IpAddr>().ok())),
                // The last of these lines counts.
                Some("search" | "domain") => parsed.search = words.collect(),
                Some("options") => parsed.options.extend(words),
                _ => (),
            }
        }
        parsed
    }

    /// The servers that a container can reach: not the host's own loopback, and no IPv6, which containers do not have.
    fn reachable(&self) -> Vec<String> {
        let reachable = |server: &&IpAddr| server.is_ipv4() && !server.is_loopback() && !server.is_unspecified();
        self.servers.iter().filter(reachable).map(IpAddr::to_string).collect()
    }
}

/// A container's /etc/resolv.conf.
///
/// `host` is the text of the host's /etc/resolv.conf, `upstream` that of /run/systemd/resolve/resolv.conf (empty if there
/// is none), which is used when the host only names resolvers on its loopback. `servers` and `search`, if not empty,
/// replace what the host has.
pub fn resolv_conf(host: &str, upstream: &str, servers: &[String], search: &[String]) -> String {
    let of_host = Resolver::parse(host);
    let of_upstream = Resolver::parse(upstream);
    let taken = match of_host.reachable() {
        reachable if reachable.is_empty() => of_upstream.reachable(),
        reachable => reachable,
    };
    let servers = if servers.is_empty() { taken.as_slice() } else { servers };
    let search = if search.is_empty() { of_host.search.join(" ") } else { search.join(" ") };
    let mut text: String = servers.iter().map(|server| format!("nameserver {server}\n")).collect();
    if !search.is_empty() && search != "." {
        text += &format!("search {search}\n");
    }
    if !of_host.options.is_empty() {
        text += &format!("options {}\n", of_host.options.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPSTREAM: &str = "# from systemd\nnameserver 198.51.100.53\nnameserver 2001:db8::53\nsearch lan\n";
    const STUB: &str = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch home.example lan\n";

    fn words(text: &[&str]) -> Vec<String> {
        text.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn a_hosts_own_resolvers_are_kept_when_a_container_can_reach_them() {
        let host = "domain example.org\nnameserver 192.0.2.53\nnameserver 127.0.0.1\nnameserver ::1\noptions ndots:2\n";
        let expected = "nameserver 192.0.2.53\nsearch example.org\noptions ndots:2\n";
        assert_eq!(resolv_conf(host, UPSTREAM, &[], &[]), expected);
    }

    #[test]
    fn a_resolver_on_the_hosts_loopback_is_replaced_by_its_upstream() {
        let expected = "nameserver 198.51.100.53\nsearch home.example lan\noptions edns0 trust-ad\n";
        assert_eq!(resolv_conf(STUB, UPSTREAM, &[], &[]), expected);
        assert_eq!(resolv_conf(STUB, "", &[], &[]), "search home.example lan\noptions edns0 trust-ad\n");
    }

    #[test]
    fn what_the_task_definition_names_replaces_what_the_host_has() {
        let text = resolv_conf(STUB, UPSTREAM, &words(&["127.0.0.1", "10.42.0.2"]), &words(&["svc.local"]));
        assert_eq!(text, "nameserver 127.0.0.1\nnameserver 10.42.0.2\nsearch svc.local\noptions edns0 trust-ad\n");
    }

    #[test]
    fn an_empty_or_broken_host_file_yields_an_empty_one() {
        assert_eq!(resolv_conf("", "", &[], &[]), "");
        assert_eq!(resolv_conf("nameserver\nnameserver not-an-address\nsearch .\n", "", &[], &[]), "");
    }

    #[test]
    fn hosts_entries_follow_localhost_and_cannot_smuggle_lines() {
        let entry =
            |address: &str, names: &[&str]| HostsEntry { address: address.parse().unwrap(), names: words(names) };
        let text = hosts_file(&[
            entry("10.42.0.5", &["web.example", "web"]),
            entry("10.42.0.6", &["db\n6.6.6.6 bank.example", "db"]),
            entry("10.42.0.7", &["", "# all"]),
        ]);
        assert!(text.starts_with("127.0.0.1\tlocalhost\n"));
        assert!(text.ends_with("10.42.0.5\tweb.example web\n10.42.0.6\tdb\n"), "{text}");
    }
}
