//! Where the cloud's API is reached.

use crate::address::{self, AddressError, Url};

/// A checked endpoint.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    url: Url,
    host: String,
}

impl Endpoint {
    pub(super) fn parse(text: &str) -> Result<Self, AddressError> {
        let url = address::api_url(text)?;
        let name = url.host_str().unwrap_or_default();
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
        address::is_loopback(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
