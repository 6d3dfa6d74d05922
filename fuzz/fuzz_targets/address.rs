//! Addresses that people type: an accepted one is exactly the one delivered to, and never an internal host.
#![no_main]

use airgate::address::{Url, api_url, webhook_host, webhook_url};
use libfuzzer_sys::fuzz_target;

const BASE: &str = "https://feishu.corp.example:8443";

fuzz_target!(|text: &str| {
    let _ = webhook_host(text);
    if let Ok(url) = api_url(text) {
        assert_eq!(api_url(url.as_str()), Ok(url.clone()), "{url}");
    }
    let base = Url::parse(BASE).unwrap();
    if let Ok(saved) = webhook_url(text, &base) {
        let url = webhook_url(saved.as_str(), &base).expect("saved, but never delivered to");
        let host = url.host_str().unwrap();
        let local = host == "localhost"
            || host == "[::1]"
            || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
        let known = host == "feishu.corp.example"
            || ["feishu.cn", "larksuite.com"]
                .iter()
                .any(|domain| host == *domain || host.ends_with(&format!(".{domain}")));
        assert!(local || (known && url.scheme() == "https"), "{url}");
        assert!(url.username().is_empty() && url.password().is_none());
    }
});
