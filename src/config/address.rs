//! Which addresses secrets may be sent to: https, and plain http only where it does not leave the machine.

use reqwest::Url;

/// Why an address was refused. Tells nothing of its path, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an absolute http or https URL.
    #[error("is not an address like https://host")]
    NotAnAddress,
    /// `http://` to another machine.
    #[error("must begin with https:// (http:// only for a loopback host)")]
    Insecure,
    /// More than where to connect to.
    #[error("must be only scheme, host and port")]
    Surplus,
    /// A user name, a password or a fragment.
    #[error("must hold no user name, password or #fragment")]
    Adorned,
    /// A custom bot that is not Feishu's.
    #[error(
        "must be on a Feishu or Lark host (feishu.cn, larksuite.com or below), on the host of feishu.base_url, or on a loopback \
         host"
    )]
    ForeignHost,
}

/// Parses an address that is safe to connect to.
fn secure(text: &str) -> Result<Url, AddressError> {
    let url = Url::parse(text).map_err(|_| AddressError::NotAnAddress)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(AddressError::NotAnAddress);
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(AddressError::Adorned);
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(AddressError::Insecure);
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || ip.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Checks the address of an API (scheme, host and port, nothing else) and returns it without a slash at its end.
///
/// # Errors
/// Why it was refused.
pub fn api_address(text: &str) -> Result<String, AddressError> {
    let url = secure(text)?;
    if url.path() != "/" || url.query().is_some() {
        return Err(AddressError::Surplus);
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Checks the address of a custom bot: on a Feishu or Lark host, on the host of `base_url` (`feishu.base_url`), or on a
/// loopback host. The settings card must take no other than the configuration does.
///
/// # Errors
/// Why it was refused.
pub fn webhook_address(text: &str, base_url: &str) -> Result<String, AddressError> {
    let url = secure(text)?;
    let host = url.host_str().unwrap_or_default();
    let of_platform = ["feishu.cn", "larksuite.com"].iter().any(|domain| {
        host.strip_suffix(domain).is_some_and(|sub| {
            sub.is_empty() || sub.strip_suffix('.').is_some_and(|name| !name.is_empty())
        })
    });
    let of_base = || Url::parse(base_url).is_ok_and(|base| base.host_str() == Some(host));
    if of_platform || is_loopback(&url) || of_base() {
        Ok(url.into())
    } else {
        Err(AddressError::ForeignHost)
    }
}

/// The host of a custom bot's address: all of it that may be shown, because who knows the whole address may post into the
/// group.
pub fn webhook_host(address: &str) -> String {
    let Ok(url) = Url::parse(address) else { return String::new() };
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::AddressError::*;
    use super::*;

    #[test]
    fn api_addresses() {
        for (text, expected) in [
            ("https://open.feishu.cn", Ok("https://open.feishu.cn")),
            ("https://Open.Feishu.cn:443/", Ok("https://open.feishu.cn")),
            ("http://127.0.0.1:9000", Ok("http://127.0.0.1:9000")),
            ("http://127.9.9.9", Ok("http://127.9.9.9")),
            ("http://[::1]:9000/", Ok("http://[::1]:9000")),
            ("http://localhost:1", Ok("http://localhost:1")),
            ("http://open.feishu.cn", Err(Insecure)),
            ("http://localhost.evil.example", Err(Insecure)),
            ("http://127.0.0.1.evil.example", Err(Insecure)),
            ("http://10.0.0.1", Err(Insecure)),
            ("ftp://open.feishu.cn", Err(NotAnAddress)),
            ("open.feishu.cn", Err(NotAnAddress)),
            ("", Err(NotAnAddress)),
            ("https://open.feishu.cn/x", Err(Surplus)),
            ("https://open.feishu.cn?x=1", Err(Surplus)),
            ("https://open.feishu.cn#x", Err(Adorned)),
            ("https://me:pw@open.feishu.cn", Err(Adorned)),
            ("http://127.0.0.1:80@evil.example", Err(Adorned)),
        ] {
            assert_eq!(api_address(text).as_deref(), expected.as_deref(), "{text}");
        }
    }

    #[test]
    fn of_a_webhook_only_the_host_is_shown() {
        let shown = webhook_host("https://open.feishu.cn/open-apis/bot/v2/hook/s3cret?x=s3cret");
        assert_eq!(shown, "open.feishu.cn");
        assert_eq!(webhook_host("http://127.0.0.1:9000/hook/s3cret"), "127.0.0.1:9000");
        assert_eq!(webhook_host("s3cret"), "");
    }

    #[test]
    fn webhook_addresses() {
        let base = "https://feishu.corp.example:8443";
        for (text, expected) in [
            ("https://open.feishu.cn/open-apis/bot/v2/hook/x", Ok(())),
            ("https://feishu.cn/x", Ok(())),
            ("https://open.larksuite.com/open-apis/bot/v2/hook/x", Ok(())),
            ("https://feishu.corp.example/hook/x", Ok(())),
            ("http://127.0.0.1:9000/hook/x", Ok(())),
            ("https://localhost/hook/x", Ok(())),
            ("http://open.feishu.cn/hook/x", Err(Insecure)),
            ("http://feishu.corp.example/hook/x", Err(Insecure)),
            ("https://evilfeishu.cn/hook/x", Err(ForeignHost)),
            ("https://.feishu.cn/hook/x", Err(ForeignHost)),
            ("https://open.feishu.cn./hook/x", Err(ForeignHost)),
            ("https://169.254.169.254/latest", Err(ForeignHost)),
            ("https://[::ffff:127.0.0.1]/hook/x", Err(ForeignHost)),
            ("http://[::ffff:169.254.169.254]/hook/x", Err(Insecure)),
            ("http://0.0.0.0/hook/x", Err(Insecure)),
            ("http://127.1:9000/hook/x", Ok(())),
            ("https://feishu.cn.evil.example/hook/x", Err(ForeignHost)),
            ("https://corp.example/hook/x", Err(ForeignHost)),
            ("https://open.feishu.cn@evil.example/x", Err(Adorned)),
            ("file:///etc/passwd", Err(NotAnAddress)),
        ] {
            assert_eq!(webhook_address(text, base).map(drop), expected, "{text}");
        }
    }
}
