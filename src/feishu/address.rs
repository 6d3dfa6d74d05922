//! Which addresses may be talked to: the platform's base URL, and custom-bot webhooks.

use std::net::IpAddr;

use reqwest::Url;

/// Hosts of the platform: Feishu in mainland China, Lark elsewhere.
const PLATFORM_DOMAINS: [&str; 2] = ["feishu.cn", "larksuite.com"];

/// Why an address cannot be the platform's base URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    /// Not a URL with a host.
    #[error("not a URL like https://open.feishu.cn")]
    NotAUrl,
    /// Plain http to another machine.
    #[error("must be https (http only for this machine)")]
    NotHttps,
    /// A user name, a query or a fragment.
    #[error("must be a bare address, without user name, query or fragment")]
    NotBare,
}

/// Why an address cannot be a custom bot's webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookUrlError {
    /// Not a URL with a host.
    #[error("not a URL like https://open.feishu.cn/open-apis/bot/v2/hook/…")]
    NotAUrl,
    /// Plain http to another machine.
    #[error("must be https")]
    NotHttps,
    /// Some other server.
    #[error("must be on a Feishu or Lark host")]
    ForeignHost,
    /// A user name or password in front of the host.
    #[error("must not contain a user name")]
    UserName,
}

/// Checks a base URL: https, or http on this machine.
pub fn validate_base_url(text: &str) -> Result<Url, BaseUrlError> {
    let url = parse(text).ok_or(BaseUrlError::NotAUrl)?;
    if !(url.scheme() == "https" || is_loopback(&url)) {
        return Err(BaseUrlError::NotHttps);
    }
    if has_user(&url) || url.query().is_some() || url.fragment().is_some() {
        return Err(BaseUrlError::NotBare);
    }
    Ok(url)
}

/// Checks a custom bot's webhook: https on a Feishu or Lark host or on the host of `base_url`, or loopback. What
/// people type in must not make this process call servers of their choice.
pub fn validate_webhook_url(text: &str, base_url: &Url) -> Result<Url, WebhookUrlError> {
    let url = parse(text).ok_or(WebhookUrlError::NotAUrl)?;
    if has_user(&url) {
        return Err(WebhookUrlError::UserName);
    }
    if is_loopback(&url) {
        return Ok(url);
    }
    let host = url.host_str().unwrap_or_default();
    let known = PLATFORM_DOMAINS.iter().any(|domain| {
        host.strip_suffix(domain).is_some_and(|sub| {
            sub.is_empty() || sub.strip_suffix('.').is_some_and(|name| !name.is_empty())
        })
    });
    if !known && base_url.host_str() != Some(host) {
        return Err(WebhookUrlError::ForeignHost);
    }
    if url.scheme() != "https" {
        return Err(WebhookUrlError::NotHttps);
    }
    Ok(url)
}

/// Whether the host is this machine by name or number: `localhost`, 127.0.0.0/8, `::1`.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let number = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || number.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn parse(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim()).ok()?;
    (matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some_and(|host| !host.is_empty()))
    .then_some(url)
}

fn has_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_https_or_this_machine() {
        use BaseUrlError::*;
        for (text, verdict) in [
            ("https://open.feishu.cn", Ok(())),
            ("https://open.larksuite.com/", Ok(())),
            ("https://proxy.example:8443/feishu", Ok(())),
            ("http://127.0.0.1:9000", Ok(())),
            ("http://127.8.9.10", Ok(())),
            ("http://localhost:1", Ok(())),
            ("http://[::1]:9000", Ok(())),
            ("http://open.feishu.cn", Err(NotHttps)),
            ("http://10.0.0.1", Err(NotHttps)),
            ("http://localhost.evil.example", Err(NotHttps)),
            ("http://127.0.0.1.evil.example", Err(NotHttps)),
            ("ftp://127.0.0.1", Err(NotAUrl)),
            ("open.feishu.cn", Err(NotAUrl)),
            ("", Err(NotAUrl)),
            ("https://a:b@open.feishu.cn", Err(NotBare)),
            ("https://open.feishu.cn/?x=1", Err(NotBare)),
            ("https://open.feishu.cn/#x", Err(NotBare)),
        ] {
            assert_eq!(validate_base_url(text).map(drop), verdict, "{text}");
        }
    }

    #[test]
    fn a_webhook_stays_with_the_platform() {
        use WebhookUrlError::*;
        let base = Url::parse("https://proxy.example").unwrap();
        for (text, verdict) in [
            ("https://open.feishu.cn/open-apis/bot/v2/hook/x", Ok(())),
            ("https://open.larksuite.com/open-apis/bot/v2/hook/x", Ok(())),
            ("https://OPEN.FEISHU.CN/hook", Ok(())),
            ("https://x.y.feishu.cn/hook", Ok(())),
            ("https://proxy.example/hook", Ok(())),
            ("https://proxy.example:8443/hook", Ok(())),
            ("http://127.0.0.1:9000/hook", Ok(())),
            ("http://127.1:9000/hook", Ok(())),
            ("http://[::1]/hook", Ok(())),
            ("http://localhost/hook", Ok(())),
            ("http://open.feishu.cn/hook", Err(NotHttps)),
            ("http://proxy.example/hook", Err(NotHttps)),
            ("https://evil.example/open.feishu.cn", Err(ForeignHost)),
            ("https://evilfeishu.cn/hook", Err(ForeignHost)),
            ("https://open.feishu.cn.evil.example/hook", Err(ForeignHost)),
            ("https://169.254.169.254/latest", Err(ForeignHost)),
            ("https://feishu.cn/hook", Ok(())),
            ("https://.feishu.cn/", Err(ForeignHost)),
            ("https://open.feishu.cn./hook", Err(ForeignHost)),
            ("https://[::ffff:127.0.0.1]/hook", Err(ForeignHost)),
            ("http://0.0.0.0/hook", Err(ForeignHost)),
            ("https://[::ffff:10.0.0.1]/", Err(ForeignHost)),
            ("https://open.feishu.cn@evil.example/hook", Err(UserName)),
            ("https://a:b@open.feishu.cn/hook", Err(UserName)),
            ("javascript:alert(1)", Err(NotAUrl)),
            ("file:///etc/passwd", Err(NotAUrl)),
            ("not a url", Err(NotAUrl)),
        ] {
            assert_eq!(validate_webhook_url(text, &base).map(drop), verdict, "{text}");
        }
    }
}
