//! Addresses that people type: an accepted one is exactly the one delivered to, and never an internal host.
#![no_main]

use airgate::config::{api_address, webhook_address, webhook_host};
use airgate::feishu::{validate_base_url, validate_webhook_url};
use libfuzzer_sys::fuzz_target;
use reqwest::Url;

const BASE: &str = "https://feishu.corp.example:8443";

fuzz_target!(|text: &str| {
    let _ = webhook_host(text);
    let _ = validate_base_url(text);
    if let Ok(address) = api_address(text) {
        assert!(validate_base_url(&address).is_ok(), "{address}");
    }
    let base = Url::parse(BASE).unwrap();
    if let Ok(address) = webhook_address(text, BASE) {
        let url = validate_webhook_url(&address, &base).expect("saved, and never delivered to");
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
