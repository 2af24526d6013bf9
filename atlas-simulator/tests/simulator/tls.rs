//! TLS: what a client that trusts the authority accepts, and what it rejects.

use atlas_simulator::{Certificate, Settings, Simulator, Tls};

use crate::support::endpoints;

#[tokio::test]
async fn only_the_good_certificate_is_trusted() {
    for certificate in
        [Certificate::Good, Certificate::Expired, Certificate::WrongHost, Certificate::UnknownIssuer]
    {
        let tls = Tls::new(certificate).unwrap();
        let atlas = Simulator::start_tls(Settings::default(), &tls).await.unwrap();
        let authority = reqwest::Certificate::from_pem(tls.authority().as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build().unwrap();
        let response = client.get(format!("{}{}", atlas.url(), endpoints())).send().await;
        match (certificate, response) {
            (Certificate::Good, response) => assert_eq!(response.unwrap().status(), 401),
            (_, response) => assert!(response.unwrap_err().is_connect(), "{certificate:?}"),
        }
        assert_eq!(atlas.journal().len(), usize::from(certificate == Certificate::Good));
    }
}
