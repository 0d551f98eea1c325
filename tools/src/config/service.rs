//! The services of a configuration.

use std::net::IpAddr;

use super::error::ConfigError;
use super::fields::{Field, Fields};
use super::model::{Bind, BindAddress, NicSetting, ServiceKind, ServiceSetting};
use super::parse::known_nic;

pub(super) fn services(
    top: &Fields<'_>,
    nics: &[NicSetting],
) -> Result<Vec<ServiceSetting>, ConfigError> {
    let mut services: Vec<ServiceSetting> = Vec::new();
    for item in top.items("service", "an array of tables, [[service]],")? {
        let fields = item.table(
            "a table, [[service]],",
            &["kind", "bind", "nic", "reuse_port"],
        )?;
        let service = service(&fields, nics)?;
        let before = services.iter().position(|before| clash(before, &service));
        if let Some(before) = before {
            return Err(fields.need("bind", "\"any:7\"")?.error(format!(
                "service[{before}] takes the same: {}; give both reuse_port = true, or one another \
                 port",
                service.bind
            )));
        }
        services.push(service);
    }
    Ok(services)
}

fn service(fields: &Fields<'_>, nics: &[NicSetting]) -> Result<ServiceSetting, ConfigError> {
    let kind = fields
        .need("kind", "\"udp_echo\"")?
        .word("a kind of service", ServiceKind::WORDS)?;
    let field = fields.need("bind", "\"any:7\"")?;
    let bind = bind(&field, kind)?;
    let nic = fields.get("nic").map(|field| known_nic(&field, nics));
    let reuse_port = fields.flag("reuse_port")?;
    if let Some(field) = fields.get("reuse_port")
        && !kind.is_udp()
    {
        return Err(field.error("raw_sink has no port: any number of them may have the same bind"));
    }
    Ok(ServiceSetting {
        kind,
        bind,
        nic: nic.transpose()?,
        reuse_port,
    })
}

fn bind(field: &Field<'_>, kind: ServiceKind) -> Result<Bind, ConfigError> {
    let bind: Bind = field.parse("what a service binds to", "any:7")?;
    // Packets have the IPv4 address: it would take none.
    if let BindAddress::One(IpAddr::V6(v6)) = bind.address
        && let Some(v4) = v6.to_ipv4_mapped()
    {
        let meant = Bind {
            address: IpAddr::V4(v4).into(),
            ..bind
        };
        return Err(field.error(format!(
            "'{bind}' is an IPv4-mapped IPv6 address; did you mean '{meant}'?"
        )));
    }
    match (bind.port, kind.is_udp()) {
        (None, true) => {
            let meant = Bind {
                port: Some(7),
                ..bind
            };
            Err(field.error(format!(
                "'{bind}' has no port, and UDP needs one; did you mean '{meant}'?"
            )))
        }
        (Some(0), true) => Err(field.error(format!("'{bind}': nobody can be sent to port 0"))),
        (Some(_), false) => Err(field.error(format!(
            "'{bind}' has a port, and raw_sink takes every protocol; did you mean '{}'?",
            bind.address
        ))),
        _ => Ok(bind),
    }
}

/// Whether nobody can tell which of two UDP services a datagram is for.
fn clash(a: &ServiceSetting, b: &ServiceSetting) -> bool {
    a.kind.is_udp()
        && b.kind.is_udp()
        && !(a.reuse_port && b.reuse_port)
        && a.nic == b.nic
        && a.bind.port == b.bind.port
        && a.bind.address.meets(b.bind.address)
}
