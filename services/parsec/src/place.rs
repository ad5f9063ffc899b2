//! Where a server runs: its cores and memory, the address at which it is reached, and its region.
//!
//! On ECS these come from the metadata of the container. Elsewhere they are the machine's cores and memory, and the
//! address from which the database is reached, because schedulers are where the database is.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::bail;
use parsec_host::{machine, memory};
use parsec_store::StoreConfig;
use tracing::{info, warn};

use parsec_ecs::Container;
use parsec_settings::PlaceConfig;

/// In it a machine's memory is recorded, and in the other one that of a container.
const MEGABYTE: u64 = 1_000_000;
const MEBIBYTE: u64 = 1 << 20;

/// In ECS, a processor has so many CPU units.
const UNITS_OF_A_CORE: i32 = 1_024;

/// The region of a server whose region is not configured.
const NO_REGION: &str = "local";

/// What a server's row in the database says about where it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Cores of a machine, CPU units of a container on ECS, of which a core has 1,024.
    pub(crate) cpu: i32,
    /// In MB; of a container on ECS in MiB.
    pub(crate) memory_mb: i32,
    /// The address under which schedulers reach the HTTP API.
    pub(crate) ip: IpAddr,
    pub(crate) region: String,
}

impl Place {
    /// This machine, for schedulers that run on it as well.
    pub(crate) fn here() -> Self {
        Self {
            cpu: machine::cores(),
            memory_mb: memory_in(MEGABYTE),
            ip: Ipv4Addr::LOCALHOST.into(),
            region: NO_REGION.to_owned(),
        }
    }

    /// The place of a server whose HTTP API is `bound` to an address. Configured values take precedence over those of
    /// the `container`, and these over what can be found out from the machine.
    ///
    /// # Errors
    /// If it is in a container to which no address leads.
    pub(crate) fn find(
        config: &PlaceConfig,
        container: Option<&Container>,
        bound: IpAddr,
        database: &StoreConfig,
    ) -> anyhow::Result<Self> {
        let machine = Self::here();
        let ip = match (config.advertise_ip, container) {
            (Some(ip), _) => ip,
            (None, Some(container)) => container_ip(container, bound, database)?,
            (None, None) => reachable_ip(bound, database),
        };
        if bound.is_loopback() && !ip.is_loopback() {
            warn!(%bound, %ip, "the HTTP API is not reachable at the advertised address; --server-host 0.0.0.0 makes it so");
        }
        let Some(container) = container else {
            let region = config.region.clone().unwrap_or(machine.region);
            return Ok(Self { ip, region, ..machine });
        };
        if container.cpu.is_none() || container.memory.is_none() {
            info!("ECS metadata name no limit for CPU or memory; what this machine has stands for it");
        }
        Ok(Self {
            cpu: container.cpu.unwrap_or_else(|| machine.cpu.saturating_mul(UNITS_OF_A_CORE)),
            memory_mb: container.memory.unwrap_or_else(|| memory_in(MEBIBYTE)),
            ip,
            region: config.region.clone().or_else(|| container.region.clone()).unwrap_or(machine.region),
        })
    }
}

/// The memory that this process may have; 0 where the system does not say.
fn memory_in(unit: u64) -> i32 {
    memory::total().map_or(0, |bytes| i32::try_from(bytes / unit).unwrap_or(i32::MAX))
}

fn container_ip(container: &Container, bound: IpAddr, database: &StoreConfig) -> anyhow::Result<IpAddr> {
    match container.ip {
        Some(ip) => Ok(ip.into()),
        None if container.is_on_host_network() => Ok(reachable_ip(bound, database)),
        None => {
            let networks =
                if container.networks.is_empty() { "none".to_owned() } else { container.networks.join(", ") };
            bail!(
                "ECS metadata name no IPv4 address of an awsvpc network (networks: {networks}): set --advertise-ip to the \
                 address at which schedulers reach this server"
            )
        }
    }
}

/// A socket bound to one address can only be reached there. One bound to all addresses is reached at the address from
/// which we reach the database; with a database in a file, schedulers are on this machine.
fn reachable_ip(bound: IpAddr, database: &StoreConfig) -> IpAddr {
    let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
    match database {
        _ if !bound.is_unspecified() => bound,
        StoreConfig::Postgres { host, port, .. } => machine::address_towards(host, *port).unwrap_or_else(|| {
            warn!(
                host,
                "there is no route to the host of the database; advertising 127.0.0.1 unless --advertise-ip is set"
            );
            localhost
        }),
        _ => localhost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

    fn sqlite() -> StoreConfig {
        "sqlite:x.db".parse().unwrap()
    }

    fn find(config: &PlaceConfig, container: Option<&Container>, bound: IpAddr) -> anyhow::Result<Place> {
        Place::find(config, container, bound, &sqlite())
    }

    fn fargate() -> Container {
        Container {
            cpu: Some(256),
            memory: Some(512),
            ip: Some([10, 0, 2, 100].into()),
            networks: vec!["awsvpc".to_owned()],
            region: Some("us-west-2".to_owned()),
        }
    }

    #[test]
    fn on_ecs_everything_is_what_the_metadata_say() {
        let place = find(&PlaceConfig::default(), Some(&fargate()), ANY).unwrap();
        let expected = Place { cpu: 256, memory_mb: 512, ip: [10, 0, 2, 100].into(), region: "us-west-2".to_owned() };
        assert_eq!(place, expected);
        // Binding a socket to one address does not change in which region the task runs.
        assert_eq!(find(&PlaceConfig::default(), Some(&fargate()), [127, 0, 0, 1].into()).unwrap(), expected);
    }

    #[test]
    fn what_was_configured_wins() {
        let config = PlaceConfig {
            region: Some("eu-central-1".to_owned()),
            advertise_ip: Some([192, 0, 2, 7].into()),
            ..PlaceConfig::default()
        };
        for container in [Some(&fargate()), Some(&Container::default()), None] {
            let place = find(&config, container, ANY).unwrap();
            assert_eq!((place.ip, place.region.as_str()), ([192, 0, 2, 7].into(), "eu-central-1"));
        }
    }

    #[test]
    fn what_the_metadata_do_not_limit_is_the_machines() {
        let unlimited = Container { cpu: None, memory: None, region: None, ..fargate() };
        let place = find(&PlaceConfig::default(), Some(&unlimited), ANY).unwrap();
        let here = Place::here();
        assert_eq!(place.cpu, here.cpu * 1_024, "in CPU units, as every container on ECS has them");
        assert!(
            (place.memory_mb - here.memory_mb * 1_000 / 1_049).abs() <= here.memory_mb / 500,
            "{place:?}, {here:?}"
        );
        assert_eq!((place.ip, place.region), ([10, 0, 2, 100].into(), here.region));
    }

    #[test]
    fn a_container_on_the_machines_network_has_its_address_and_one_behind_a_bridge_has_none() {
        let on = |mode: &str| Container { ip: None, networks: vec![mode.to_owned()], ..fargate() };
        let bound = IpAddr::from([198, 51, 100, 3]);
        assert_eq!(find(&PlaceConfig::default(), Some(&on("host")), bound).unwrap().ip, bound);
        for (container, networks) in
            [(on("bridge"), "bridge"), (on("awsvpc"), "awsvpc"), (Container::default(), "none")]
        {
            let error = find(&PlaceConfig::default(), Some(&container), bound).unwrap_err().to_string();
            let names = error.contains(&format!("(networks: {networks})")) && error.contains("--advertise-ip");
            assert!(names, "{error}");
        }
    }

    #[test]
    fn outside_ecs_it_is_the_machine_and_the_address_that_reaches_the_database() {
        let place = find(&PlaceConfig::default(), None, ANY).unwrap();
        assert_eq!(place, Place::here());
        assert!(place.cpu >= 1 && place.memory_mb > 1, "{place:?}");
        let postgres: StoreConfig = "postgres://parsec@127.0.0.1:5432/parsec".parse().unwrap();
        assert_eq!(reachable_ip(ANY, &postgres), IpAddr::from([127, 0, 0, 1]));
        assert_eq!(reachable_ip([198, 51, 100, 3].into(), &postgres), IpAddr::from([198, 51, 100, 3]));
    }
}
