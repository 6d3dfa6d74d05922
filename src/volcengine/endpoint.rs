//! Where the cloud's API is reached: https, or plain http on this machine only (the stand-in of the demo and the tests).

use std::net::IpAddr;

use reqwest::Url;

/// Why an endpoint was refused, in words for the person who configured it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not an absolute URL with a host.
    #[error("not a URL like https://iam.volcengineapi.com")]
    NotAUrl,
    /// Plain http to another machine, or another scheme: signed requests would travel in the clear.
    #[error("must be https (http only for loopback hosts)")]
    Insecure,
    /// User name, path, query or fragment: the API stands at `/` and takes none.
    #[error("must be only scheme, host and port")]
    Surplus,
}

/// Tells whether `text` can be an endpoint of [`super::ClientConfig`].
///
/// # Errors
/// The reason, where it cannot.
pub fn check_endpoint(text: &str) -> Result<(), EndpointError> {
    Endpoint::parse(text).map(|_| ())
}

/// A checked endpoint.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    url: Url,
    host: String,
}

impl Endpoint {
    pub(super) fn parse(text: &str) -> Result<Self, EndpointError> {
        let url = Url::parse(text.trim()).map_err(|_| EndpointError::NotAUrl)?;
        let name = url.host_str().ok_or(EndpointError::NotAUrl)?;
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(name)) {
            return Err(EndpointError::Insecure);
        }
        if url.path() != "/"
            || url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(EndpointError::Surplus);
        }
        let host = match url.port() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        };
        Ok(Self { url, host })
    }

    /// The `Host` header: with the port where it is not the scheme's own.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The URL of a request; `query` is encoded already.
    pub(super) fn url(&self, query: &str) -> Url {
        let mut url = self.url.clone();
        url.set_query(Some(query));
        url
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.url.host_str().is_some_and(is_loopback)
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_anywhere_http_only_here() {
        use EndpointError::*;
        for (text, expected) in [
            ("https://iam.volcengineapi.com", Ok(())),
            ("https://iam.volcengineapi.com/", Ok(())),
            ("https://iam.volcengineapi.com:8443", Ok(())),
            ("http://127.0.0.1:4000", Ok(())),
            ("http://127.9.9.9", Ok(())),
            ("http://localhost:4000", Ok(())),
            ("http://[::1]:4000", Ok(())),
            ("http://iam.volcengineapi.com", Err(Insecure)),
            ("http://10.0.0.1", Err(Insecure)),
            ("http://localhost.example.com", Err(Insecure)),
            ("http://127.0.0.1.example.com", Err(Insecure)),
            ("ftp://127.0.0.1", Err(Insecure)),
            ("http://127.0.0.1@evil.example", Err(Insecure)),
            ("https://user@iam.volcengineapi.com", Err(Surplus)),
            ("https://iam.volcengineapi.com/v1", Err(Surplus)),
            ("https://iam.volcengineapi.com/?a=b", Err(Surplus)),
            ("https://iam.volcengineapi.com/#x", Err(Surplus)),
            ("iam.volcengineapi.com", Err(NotAUrl)),
            ("", Err(NotAUrl)),
        ] {
            assert_eq!(check_endpoint(text), expected, "{text}");
        }
    }

    #[test]
    fn the_port_is_part_of_the_host_and_the_query_stays_as_it_was_signed() {
        let endpoint = Endpoint::parse("http://127.0.0.1:4000").unwrap();
        assert_eq!(endpoint.host(), "127.0.0.1:4000");
        let query = super::super::sign::canonical_query(&[(
            "Query",
            "a+b/c~d*e'f(g)h!i&j=k%l#m?n@o:p,q;r$s[t]u{v}w|x\\y^z`\"<>-_. 张",
        )]);
        let url = endpoint.url(&query);
        assert_eq!(url.query(), Some(query.as_str()));
        let default = Endpoint::parse("https://iam.volcengineapi.com:443/").unwrap();
        assert_eq!(default.host(), "iam.volcengineapi.com");
    }
}
