//! The rules for the addresses that airgate sends secrets to: https, or plain http if it does not leave this machine.
//!
//! The configuration, the settings card and both platform clients apply these rules, and only these: what one of them
//! accepts is what the others use.

use std::net::IpAddr;

pub use reqwest::Url;

/// Domains of the chat platform: Feishu in mainland China, Lark elsewhere.
const PLATFORM_DOMAINS: [&str; 2] = ["feishu.cn", "larksuite.com"];

/// Why an address was refused. The message is meant to follow the name of a key, and does not repeat the address, whose
/// path may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an absolute http or https URL.
    #[error("is not an address like https://host")]
    NotAUrl,
    /// Plain http to another machine.
    #[error("must begin with https:// (http:// only for a loopback host)")]
    Insecure,
    /// A path or a query where only scheme, host and port are allowed.
    #[error("must be only scheme, host and port")]
    PathOrQuery,
    /// A user name, a password or a fragment.
    #[error("must not contain a user name, password or #fragment")]
    UserOrFragment,
    /// A custom bot on a host that is not the chat platform's.
    #[error(
        "must be on a Feishu or Lark host (feishu.cn, larksuite.com or a subdomain), on the host of feishu.base_url, or on a \
         loopback host"
    )]
    ForeignHost,
}

/// Returns whether the URL's host is this machine, by name or number: `localhost`, 127.0.0.0/8 or `::1`.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || ip.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Parses the address of an API: scheme, host and port, nothing else.
pub fn api_url(text: &str) -> Result<Url, AddressError> {
    let url = secure_url(text)?;
    if url.path() != "/" || url.query().is_some() {
        return Err(AddressError::PathOrQuery);
    }
    Ok(url)
}

/// Parses the address that paths are added to: scheme, host, port and a path, without a slash at its end.
pub fn base_url(text: &str) -> Result<Url, AddressError> {
    let url = secure_url(text.trim_end_matches('/'))?;
    if url.query().is_some() { Err(AddressError::PathOrQuery) } else { Ok(url) }
}

/// Parses the address of a custom bot: on a Feishu or Lark host, on the host of `base_url` (`feishu.base_url`), or on a
/// loopback host. What people type into the settings card must not make airgate call servers of their choice.
pub fn webhook_url(text: &str, base_url: &Url) -> Result<Url, AddressError> {
    let url = secure_url(text)?;
    let host = url.host_str().unwrap_or_default();
    let on_platform = PLATFORM_DOMAINS.iter().any(|domain| {
        host.strip_suffix(domain).is_some_and(|sub| {
            sub.is_empty() || sub.strip_suffix('.').is_some_and(|name| !name.is_empty())
        })
    });
    if on_platform || is_loopback(&url) || base_url.host_str() == Some(host) {
        Ok(url)
    } else {
        Err(AddressError::ForeignHost)
    }
}

/// Returns the host and port of a custom bot's address. The rest must not be shown: whoever knows the whole address can
/// post to the group.
pub fn webhook_host(address: &str) -> String {
    let Ok(url) = Url::parse(address) else { return String::new() };
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    }
}

/// Parses a URL that is safe to connect to.
fn secure_url(text: &str) -> Result<Url, AddressError> {
    let url = Url::parse(text).map_err(|_| AddressError::NotAUrl)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(AddressError::NotAUrl);
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(AddressError::UserOrFragment);
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(AddressError::Insecure);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::AddressError::*;
    use super::*;

    #[test]
    fn an_api_address_is_https_or_loopback_and_nothing_but_scheme_host_and_port() {
        for (text, expected) in [
            ("https://open.feishu.cn", Ok("https://open.feishu.cn/")),
            ("https://Open.Feishu.cn:443/", Ok("https://open.feishu.cn/")),
            ("https://open.larksuite.com/", Ok("https://open.larksuite.com/")),
            ("https://iam.volcengineapi.com:8443", Ok("https://iam.volcengineapi.com:8443/")),
            ("http://127.0.0.1:9000", Ok("http://127.0.0.1:9000/")),
            ("http://127.9.9.9", Ok("http://127.9.9.9/")),
            ("http://[::1]:9000/", Ok("http://[::1]:9000/")),
            ("http://localhost:1", Ok("http://localhost:1/")),
            ("http://open.feishu.cn", Err(Insecure)),
            ("http://localhost.evil.example", Err(Insecure)),
            ("http://127.0.0.1.evil.example", Err(Insecure)),
            ("http://10.0.0.1", Err(Insecure)),
            ("ftp://127.0.0.1", Err(NotAUrl)),
            ("open.feishu.cn", Err(NotAUrl)),
            ("", Err(NotAUrl)),
            ("https://open.feishu.cn/x", Err(PathOrQuery)),
            ("https://open.feishu.cn?x=1", Err(PathOrQuery)),
            ("https://open.feishu.cn#x", Err(UserOrFragment)),
            ("https://me:pw@open.feishu.cn", Err(UserOrFragment)),
            ("http://127.0.0.1:80@evil.example", Err(UserOrFragment)),
        ] {
            assert_eq!(api_url(text).as_ref().map(Url::as_str), expected.as_deref(), "{text}");
        }
    }

    #[test]
    fn a_webhook_stays_with_the_platform() {
        let base = Url::parse("https://feishu.corp.example:8443").unwrap();
        for (text, expected) in [
            ("https://open.feishu.cn/open-apis/bot/v2/hook/x", Ok(())),
            ("https://open.larksuite.com/open-apis/bot/v2/hook/x", Ok(())),
            ("https://OPEN.FEISHU.CN/hook", Ok(())),
            ("https://x.y.feishu.cn/hook", Ok(())),
            ("https://feishu.cn/x", Ok(())),
            ("https://feishu.corp.example/hook/x", Ok(())),
            ("https://feishu.corp.example:9443/hook/x", Ok(())),
            ("http://127.0.0.1:9000/hook/x", Ok(())),
            ("http://127.1:9000/hook/x", Ok(())),
            ("http://[::1]/hook", Ok(())),
            ("http://localhost/hook", Ok(())),
            ("https://localhost/hook/x", Ok(())),
            ("http://open.feishu.cn/hook/x", Err(Insecure)),
            ("http://feishu.corp.example/hook/x", Err(Insecure)),
            ("http://[::ffff:169.254.169.254]/hook/x", Err(Insecure)),
            ("http://0.0.0.0/hook/x", Err(Insecure)),
            ("https://evil.example/open.feishu.cn", Err(ForeignHost)),
            ("https://evilfeishu.cn/hook/x", Err(ForeignHost)),
            ("https://feishu.cn.evil.example/hook/x", Err(ForeignHost)),
            ("https://.feishu.cn/hook/x", Err(ForeignHost)),
            ("https://open.feishu.cn./hook/x", Err(ForeignHost)),
            ("https://corp.example/hook/x", Err(ForeignHost)),
            ("https://169.254.169.254/latest", Err(ForeignHost)),
            ("https://[::ffff:127.0.0.1]/hook/x", Err(ForeignHost)),
            ("https://[::ffff:10.0.0.1]/", Err(ForeignHost)),
            ("https://open.feishu.cn@evil.example/x", Err(UserOrFragment)),
            ("https://a:b@open.feishu.cn/hook", Err(UserOrFragment)),
            ("https://open.feishu.cn/hook#x", Err(UserOrFragment)),
            ("javascript:alert(1)", Err(NotAUrl)),
            ("file:///etc/passwd", Err(NotAUrl)),
            ("not a url", Err(NotAUrl)),
        ] {
            assert_eq!(webhook_url(text, &base).map(drop), expected, "{text}");
        }
    }

    #[test]
    fn a_base_address_may_have_a_path_and_is_as_secure() {
        for (text, expected) in [
            ("https://ark.example/api/v3/", Ok("https://ark.example/api/v3")),
            ("http://127.0.0.1:9000/api/v3", Ok("http://127.0.0.1:9000/api/v3")),
            ("http://ark.example/api/v3", Err(Insecure)),
            ("https://ark.example/api/v3?x=1", Err(PathOrQuery)),
            ("https://me:pw@ark.example/api/v3", Err(UserOrFragment)),
            ("/api/v3", Err(NotAUrl)),
        ] {
            assert_eq!(base_url(text).as_ref().map(Url::as_str), expected.as_deref(), "{text}");
        }
    }

    #[test]
    fn only_the_host_of_a_webhook_is_shown() {
        let shown = webhook_host("https://open.feishu.cn/open-apis/bot/v2/hook/s3cret?x=s3cret");
        assert_eq!(shown, "open.feishu.cn");
        assert_eq!(webhook_host("http://127.0.0.1:9000/hook/s3cret"), "127.0.0.1:9000");
        assert_eq!(webhook_host("s3cret"), "");
    }
}
