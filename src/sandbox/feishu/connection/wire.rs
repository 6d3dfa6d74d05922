//! Frames of the long connection, written independently from the documented proto2 and read strictly.

use prost::Message as _;

/// `method` of control frames.
pub const CONTROL: i32 = 0;
/// `method` of data frames.
pub const DATA: i32 = 1;
/// `service` of every ping and push of this app.
pub const SERVICE_ID: i32 = 33_554_678;

#[derive(Clone, PartialEq, prost::Message)]
pub struct Pair {
    #[prost(string, optional, tag = "1")]
    pub key: Option<String>,
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

impl Pair {
    pub fn new(key: &str, value: impl Into<String>) -> Self {
        Self { key: Some(key.to_owned()), value: Some(value.into()) }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Frame {
    #[prost(uint64, optional, tag = "1")]
    pub seq_id: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    pub log_id: Option<u64>,
    #[prost(int32, optional, tag = "3")]
    pub service: Option<i32>,
    #[prost(int32, optional, tag = "4")]
    pub method: Option<i32>,
    #[prost(message, repeated, tag = "5")]
    pub headers: Vec<Pair>,
    #[prost(string, optional, tag = "6")]
    pub payload_encoding: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub payload_type: Option<String>,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub payload: Option<Vec<u8>>,
    #[prost(string, optional, tag = "9")]
    pub log_id_new: Option<String>,
}

impl Frame {
    /// A frame with everything that proto2 requires.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let frame = Self::decode(bytes).map_err(|error| format!("not a frame: {error}"))?;
        let missing = [
            ("SeqID", frame.seq_id.is_none()),
            ("LogID", frame.log_id.is_none()),
            ("service", frame.service.is_none()),
            ("method", frame.method.is_none()),
            (
                "a header's key or value",
                frame.headers.iter().any(|pair| pair.key.is_none() || pair.value.is_none()),
            ),
        ];
        match missing.iter().find(|(_, missing)| *missing) {
            Some((name, _)) => Err(format!("a frame without {name}")),
            None => Ok(frame),
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// A header's value.
    pub fn header(&self, key: &str) -> Option<&str> {
        let found = self.headers.iter().find(|pair| pair.key.as_deref() == Some(key));
        found.and_then(|pair| pair.value.as_deref())
    }

    /// Whether this is a client's ping.
    pub fn is_ping(&self, service: i32) -> bool {
        *self
            == Self {
                seq_id: Some(0),
                log_id: Some(0),
                service: Some(service),
                method: Some(CONTROL),
                headers: vec![Pair::new("type", "ping")],
                ..Self::default()
            }
    }

    pub fn pong(service: i32, settings: String) -> Self {
        Self {
            seq_id: Some(0),
            log_id: Some(0),
            service: Some(service),
            method: Some(CONTROL),
            headers: vec![Pair::new("type", "pong")],
            payload: Some(settings.into_bytes()),
            ..Self::default()
        }
    }
}
