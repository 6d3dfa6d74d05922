//! Where a bucket is, as people write it: `s3://BUCKET/PREFIX?endpoint=https://HOST&region=REGION`.

use std::fmt;

use crate::address::{self, AddressError, Url};

/// Where Amazon's own buckets are, by region.
const AMAZON: &str = "amazonaws.com";

/// Why the address of a bucket was refused. The message is meant to follow the name of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BucketAddressError {
    /// Not `s3://BUCKET…`.
    #[error("must look like s3://bucket/folder?endpoint=https://host&region=name")]
    NotS3,
    /// The name does not follow the rules of S3.
    #[error(
        "must name a bucket of 3 to 63 lower-case letters, digits, hyphens and dots (with dots, only with style=path)"
    )]
    BadBucket,
    /// The folder, or the file in it, has other characters, or an empty part.
    #[error("has a folder with other characters than letters, digits, `-`, `_`, `.` and `~`")]
    BadPath,
    /// User name, password or fragment.
    #[error(
        "must not contain a user name, password or #fragment: keys belong in store.backup_access_key_id and \
         store.backup_secret_access_key"
    )]
    UserOrFragment,
    /// An unknown parameter, or one that is there twice.
    #[error("has an unknown or repeated parameter: only endpoint, region and style, each once")]
    BadParameter,
    /// No region.
    #[error("needs region=…, the one that requests are signed for")]
    NoRegion,
    /// The region is not a plain word.
    #[error("has a region that is not a word of letters, digits and hyphens")]
    BadRegion,
    /// `style` has another word.
    #[error("has a style that is neither virtual nor path")]
    BadStyle,
    /// The endpoint is not one that secrets may be sent to.
    #[error("has an endpoint that {0}")]
    Endpoint(AddressError),
}

/// Where the bucket's name goes in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Before the host: `https://bucket.host/key`. The only style that TOS has.
    Virtual,
    /// In the path: `https://host/bucket/key`.
    Path,
}

/// A bucket of an S3-compatible service, and a folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketAddress {
    bucket: String,
    folder: String,
    endpoint: Url,
    region: String,
    style: Style,
}

impl BucketAddress {
    /// Returns whether `text` is meant to be the address of a bucket, and not the name of a file.
    pub fn is_meant_by(text: &str) -> bool {
        text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("s3://"))
    }

    /// Parses an address. What it leaves out is taken from `other`: its endpoint, its region and its style.
    ///
    /// Without `endpoint`, the bucket is Amazon's. Without `style`, the bucket's name goes before the host (`virtual`), or into the
    /// path if the host is a number or this machine.
    pub fn parse(text: &str, other: Option<&Self>) -> Result<Self, BucketAddressError> {
        use BucketAddressError::{
            BadBucket, BadParameter, BadPath, BadRegion, BadStyle, Endpoint, NoRegion, NotS3,
            UserOrFragment,
        };
        let url = Url::parse(text).map_err(|_| NotS3)?;
        let bucket = url.host_str().unwrap_or_default();
        if url.scheme() != "s3" || bucket.is_empty() || url.port().is_some() {
            return Err(NotS3);
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(UserOrFragment);
        }
        let (mut endpoint, mut region, mut style) = (None, None, None);
        for (name, value) in url.query_pairs() {
            let place = match &*name {
                "endpoint" => &mut endpoint,
                "region" => &mut region,
                "style" => &mut style,
                _ => return Err(BadParameter),
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(BadParameter);
            }
        }
        let other = other.filter(|_| url.query().is_none());
        let region = region.or_else(|| other.map(|other| other.region.clone())).ok_or(NoRegion)?;
        if region.is_empty() || !region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(BadRegion);
        }
        let endpoint = match (endpoint, other) {
            (Some(text), _) => address::api_url(&text).map_err(Endpoint)?,
            (None, Some(other)) => other.endpoint.clone(),
            (None, None) => {
                address::api_url(&format!("https://s3.{region}.{AMAZON}")).map_err(Endpoint)?
            }
        };
        let style = match (style.as_deref(), other) {
            (Some("virtual"), _) => Style::Virtual,
            (Some("path"), _) => Style::Path,
            (Some(_), _) => return Err(BadStyle),
            (None, Some(other)) => other.style,
            (None, None) if address::is_loopback(&endpoint) || is_number(&endpoint) => Style::Path,
            (None, None) => Style::Virtual,
        };
        if !is_bucket(bucket, style) {
            return Err(BadBucket);
        }
        let folder = url.path().trim_matches('/');
        // These are never written in another way, in an address, in a signature or in a list.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
        if !folder.is_empty()
            && folder.split('/').any(|part| part.is_empty() || !part.bytes().all(is_plain))
        {
            return Err(BadPath);
        }
        Ok(Self { bucket: bucket.to_owned(), folder: folder.to_owned(), endpoint, region, style })
    }

    /// Takes the last part of the folder off, which is then the name of an object, if it ends with `ending`.
    #[must_use]
    pub fn split_object(mut self, ending: &str) -> (Self, Option<String>) {
        let (folder, last) = match self.folder.rsplit_once('/') {
            Some((folder, last)) => (folder.to_owned(), last.to_owned()),
            None => (String::new(), self.folder.clone()),
        };
        if !last.ends_with(ending) {
            return (self, None);
        }
        self.folder = folder;
        (self, Some(last))
    }

    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    pub(super) fn folder(&self) -> &str {
        &self.folder
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    pub(super) fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    pub(super) fn is_virtual(&self) -> bool {
        self.style == Style::Virtual
    }

    /// Returns the address that paths of objects are added to: in virtual style, with the bucket before the host.
    pub(super) fn base(&self) -> String {
        let endpoint = self.endpoint.as_str().trim_end_matches('/');
        match (self.style, endpoint.split_once("://")) {
            (Style::Virtual, Some((scheme, host))) => format!("{scheme}://{}.{host}", self.bucket),
            _ => endpoint.to_owned(),
        }
    }
}

/// Shows bucket and folder, for people.
impl fmt::Display for BucketAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.folder.is_empty() {
            write!(f, "/{}", self.folder)?;
        }
        Ok(())
    }
}

fn is_number(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok()
}

/// Checks a name by S3's rules for buckets. A certificate for `*.host` covers one label, so a name with dots goes into the path.
fn is_bucket(name: &str, style: Style) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| plain(byte) || byte == b'-' || (byte == b'.' && style == Style::Path);
    (3..=63).contains(&name.len())
        && name.bytes().all(inner)
        && name.bytes().next().is_some_and(plain)
        && name.bytes().next_back().is_some_and(plain)
        && !name.contains("..")
}

#[cfg(test)]
mod tests {
    use super::BucketAddressError::*;
    use super::*;

    fn base(text: &str) -> Result<(String, String, String), BucketAddressError> {
        let address = BucketAddress::parse(text, None)?;
        let bucket = if address.is_virtual() { "" } else { "/bucket" };
        Ok((format!("{}{bucket}", address.base()), address.folder, address.region))
    }

    #[test]
    fn the_bucket_goes_before_the_host_or_into_the_path() {
        for (text, at, folder, region) in [
            (
                "s3://ops/airgate?endpoint=https://tos-s3-cn-beijing.volces.com&region=cn-beijing",
                "https://ops.tos-s3-cn-beijing.volces.com",
                "airgate",
                "cn-beijing",
            ),
            (
                "s3://ops/a/b/?endpoint=https://minio.corp.example:9000&region=us-east-1&style=path",
                "https://minio.corp.example:9000/bucket",
                "a/b",
                "us-east-1",
            ),
            (
                "s3://ops?endpoint=http://127.0.0.1:9000&region=us-east-1",
                "http://127.0.0.1:9000/bucket",
                "",
                "us-east-1",
            ),
            (
                "s3://ops?endpoint=https://10.0.0.8:9000&region=x",
                "https://10.0.0.8:9000/bucket",
                "",
                "x",
            ),
            (
                "s3://ops/x?region=eu-west-1",
                "https://ops.s3.eu-west-1.amazonaws.com",
                "x",
                "eu-west-1",
            ),
            (
                "s3://with.dots?region=eu-west-1&style=path",
                "https://s3.eu-west-1.amazonaws.com/bucket",
                "",
                "eu-west-1",
            ),
        ] {
            let expected = (at.to_owned(), folder.to_owned(), region.to_owned());
            assert_eq!(base(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_address_that_is_incomplete_insecure_or_ambiguous_is_refused() {
        for (text, expected) in [
            ("", NotS3),
            ("backups", NotS3),
            ("https://ops.example/x?region=a", NotS3),
            ("s3:///airgate?region=a", NotS3),
            ("s3://ops:9000/x?region=a", NotS3),
            ("s3://AKLT:secret@ops/x?region=a", UserOrFragment),
            ("s3://ops/x?region=a#b", UserOrFragment),
            ("s3://ops/x", NoRegion),
            ("s3://ops/x?region=", BadRegion),
            ("s3://ops/x?region=a/b", BadRegion),
            ("s3://ops/x?region=a&region=b", BadParameter),
            ("s3://ops/x?region=a&secret=b", BadParameter),
            ("s3://ops/x?region=a&style=dns", BadStyle),
            ("s3://Ops/x?region=a", BadBucket),
            ("s3://op/x?region=a", BadBucket),
            ("s3://ops_/x?region=a", BadBucket),
            ("s3://with.dots/x?region=a", BadBucket),
            ("s3://ops//x//y?region=a", BadPath),
            ("s3://ops/备份?region=a", BadPath),
            ("s3://ops/a%2Fb?region=a", BadPath),
            (
                "s3://ops/x?region=a&endpoint=http://minio.corp.example",
                Endpoint(AddressError::Insecure),
            ),
            (
                "s3://ops/x?region=a&endpoint=https://h.example/p",
                Endpoint(AddressError::PathOrQuery),
            ),
        ] {
            assert_eq!(base(text).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn what_an_address_leaves_out_is_the_configured_one_s() {
        let text = "s3://ops/airgate?endpoint=https://minio.example&region=r&style=path";
        let configured = BucketAddress::parse(text, None).unwrap();
        let short = BucketAddress::parse("s3://ops/airgate", Some(&configured)).unwrap();
        assert_eq!(short, configured);
        let elsewhere = BucketAddress::parse("s3://other?region=q", Some(&configured)).unwrap();
        assert_eq!(elsewhere.base(), "https://other.s3.q.amazonaws.com");
        assert_eq!(short.to_string(), "s3://ops/airgate");
    }

    #[test]
    fn the_last_part_is_an_object_if_it_ends_like_one() {
        let split = |text: &str| {
            let (address, object) = BucketAddress::parse(text, None).unwrap().split_object(".redb");
            (address.to_string(), object)
        };
        let object = Some("a-1.redb".to_owned());
        assert_eq!(
            split("s3://ops/x/a-1.redb?region=r"),
            ("s3://ops/x".to_owned(), object.clone())
        );
        assert_eq!(split("s3://ops/a-1.redb?region=r"), ("s3://ops".to_owned(), object));
        assert_eq!(split("s3://ops/x/y?region=r"), ("s3://ops/x/y".to_owned(), None));
        assert_eq!(split("s3://ops?region=r"), ("s3://ops".to_owned(), None));
        assert!(BucketAddress::is_meant_by("S3://ops") && !BucketAddress::is_meant_by("s3/ops"));
    }
}
