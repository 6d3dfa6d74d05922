//! A bucket of an S3-compatible service (Volcengine TOS, MinIO, Amazon S3) that keeps copies of files.
//!
//! `object_store` speaks the protocol: SigV4 signatures over the content, uploads in parts, lists by pages, retries. Nothing here
//! knows what the files are.

mod address;
mod error;
mod http;

use std::path::Path as FilePath;
use std::time::Duration;

use futures::StreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectStore as _, ObjectStoreExt as _, PutPayload, RetryConfig};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

pub use address::{BucketAddress, BucketAddressError};
pub use error::BucketError;

/// Size of a part of an upload, in bytes: at least 5 MiB and at most 10,000 parts, as S3 demands.
const PART: u64 = 8 * 1024 * 1024;

/// How long to try to take back an upload that failed: the service may be shutting down.
const ABORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The key pair of a bucket. `Debug` shows neither.
#[derive(Clone, Debug)]
pub struct BucketKeys {
    /// The access key's id.
    pub access_key_id: SecretString,
    /// Its secret.
    pub secret_access_key: SecretString,
}

/// How long to wait for a bucket.
#[derive(Clone, Copy, Debug)]
pub struct BucketTimeouts {
    /// How long a request may be without an answer. Sending a part of 8 MiB counts.
    pub stall: Duration,
    /// How many times a request is repeated.
    pub retries: usize,
    /// Pause before the first repetition; the others grow up to 50 times this.
    pub pause: Duration,
}

impl Default for BucketTimeouts {
    /// Returns 2 min without an answer, which is a part at 70 kB/s, and four repetitions.
    fn default() -> Self {
        Self { stall: Duration::from_secs(120), retries: 4, pause: Duration::from_millis(300) }
    }
}

/// A file in the bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its name, without the folder.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A folder of a bucket. Clones share connections.
#[derive(Clone, Debug)]
pub struct Bucket {
    store: AmazonS3,
    folder: Path,
}

impl Bucket {
    /// Sets up a client. Contacts nobody.
    ///
    /// # Errors
    /// [`BucketError::Setup`].
    pub fn new(
        address: &BucketAddress,
        keys: &BucketKeys,
        timeouts: BucketTimeouts,
    ) -> Result<Self, BucketError> {
        let setup = |error: &dyn std::fmt::Display| BucketError::Setup(error.to_string());
        let connector = http::Connector::new(address.endpoint(), timeouts.stall)
            .map_err(|error| setup(&error))?;
        let retry = RetryConfig {
            backoff: BackoffConfig {
                init_backoff: timeouts.pause,
                max_backoff: timeouts.pause.saturating_mul(50),
                base: 2.0,
            },
            max_retries: timeouts.retries,
            // Signatures are valid for 15 minutes, and a request is not signed again when it is repeated.
            retry_timeout: Duration::from_secs(180),
        };
        // Not `from_env`: only airgate's own keys count, and a key pair is never asked of a metadata service.
        let store = AmazonS3Builder::new()
            .with_bucket_name(address.bucket())
            .with_region(address.region())
            .with_endpoint(address.base())
            .with_virtual_hosted_style_request(address.is_virtual())
            .with_allow_http(address.endpoint().scheme() == "http")
            .with_access_key_id(keys.access_key_id.expose_secret())
            .with_secret_access_key(keys.secret_access_key.expose_secret())
            // Not every service has the call that deletes several objects.
            .with_disable_bulk_delete(true)
            .with_retry(retry)
            .with_http_connector(connector)
            .build()
            .map_err(|error| setup(&error))?;
        Ok(Self { store, folder: Path::from(address.folder()) })
    }

    /// Lists the files in the folder, without those in folders below it. All pages, or an error.
    ///
    /// # Errors
    /// [`BucketError`].
    pub async fn list(&self) -> Result<Vec<Object>, BucketError> {
        let listed = self.store.list_with_delimiter(Some(&self.folder)).await?;
        let named = listed.objects.into_iter().filter_map(|object| {
            Some(Object { name: object.location.filename()?.to_owned(), size: object.size })
        });
        Ok(named.collect())
    }

    /// Copies the file at `path` into the folder as `name`, in parts if it is large. Returns its size in bytes.
    ///
    /// # Errors
    /// [`BucketError::Stopped`] once `stop` is cancelled; otherwise [`BucketError`]. An upload that fails is taken back as far as
    /// the bucket can be reached.
    pub async fn upload(
        &self,
        name: &str,
        path: &FilePath,
        stop: &CancellationToken,
    ) -> Result<u64, BucketError> {
        let io = |source| BucketError::Io { path: path.to_owned(), source };
        let location = self.folder.clone().join(name);
        let file = tokio::fs::File::open(path).await.map_err(io)?;
        let size = file.metadata().await.map_err(io)?.len();
        let mut file = file.take(size);
        if size <= PART {
            let mut whole = Vec::new();
            file.read_to_end(&mut whole).await.map_err(io)?;
            unless(stop, self.store.put(&location, PutPayload::from(whole))).await?;
            return Ok(size);
        }
        let mut upload = self.store.put_multipart(&location).await?;
        let sent: Result<(), BucketError> = async {
            let mut left = size;
            while left > 0 {
                let mut part = Vec::new();
                let length = left.min(PART);
                let read = (&mut file).take(length).read_to_end(&mut part).await.map_err(io)?;
                if u64::try_from(read) != Ok(length) {
                    return Err(io(std::io::ErrorKind::UnexpectedEof.into()));
                }
                unless(stop, upload.put_part(PutPayload::from(part))).await?;
                left = left.saturating_sub(length);
            }
            upload.complete().await?;
            Ok(())
        }
        .await;
        if let Err(error) = sent {
            // The error that made the upload fail is the one to report.
            let _ = tokio::time::timeout(ABORT_TIMEOUT, upload.abort()).await;
            return Err(error);
        }
        Ok(size)
    }

    /// Copies the file `name` of the folder to the end of `into`. Returns its size in bytes.
    ///
    /// # Errors
    /// [`BucketError::Size`] if less or more arrived than the bucket says; otherwise [`BucketError`].
    pub async fn download(
        &self,
        name: &str,
        into: &mut tokio::fs::File,
        has_room: impl FnOnce(u64) -> std::io::Result<()>,
    ) -> Result<u64, BucketError> {
        let io = |source| BucketError::Io { path: name.into(), source };
        let found = self.store.get(&self.folder.clone().join(name)).await?;
        let expected = found.meta.size;
        has_room(expected).map_err(io)?;
        let (mut stream, mut size) = (found.into_stream(), 0_u64);
        while let Some(bytes) = stream.next().await {
            let bytes = bytes?;
            size = size.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
            into.write_all(&bytes).await.map_err(io)?;
        }
        into.flush().await.map_err(io)?;
        if size != expected {
            return Err(BucketError::Size { name: name.to_owned(), found: size, expected });
        }
        Ok(size)
    }

    /// Removes the file `name` of the folder. One that is not there counts as removed.
    ///
    /// # Errors
    /// [`BucketError`].
    pub async fn remove(&self, name: &str) -> Result<(), BucketError> {
        match self.store.delete(&self.folder.clone().join(name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Runs a call until `stop`.
async fn unless<T>(
    stop: &CancellationToken,
    call: impl Future<Output = object_store::Result<T>>,
) -> Result<T, BucketError> {
    tokio::select! {
        () = stop.cancelled() => Err(BucketError::Stopped),
        done = call => Ok(done?),
    }
}
