//! Digest, at a server's strictest.

use std::time::Duration;

use atlas_simulator::{
    Algorithm, ChallengeForm, Counter, DEFAULT_PUBLIC_KEY, Operation, Settings, Simulator, Unauthenticated,
};
use reqwest::Method;

use crate::support::{TestClient, endpoints, got, slow};

/// The journal's reasons for a challenge, one for each request.
fn reasons(atlas: &Simulator) -> Vec<Option<Unauthenticated>> {
    atlas.journal().into_iter().map(|entry| entry.challenged).collect()
}

#[tokio::test]
async fn the_challenge_is_the_recorded_one() {
    let atlas = slow().await;
    let (header, nonce) = TestClient::new(&atlas).challenge(&endpoints()).await;
    assert_eq!(
        header,
        format!(
            r#"Digest realm="MMS Public API", domain="", nonce="{nonce}", algorithm=MD5, qop="auth", stale=false"#
        )
    );
    assert_eq!(nonce.len(), 32);
}

#[tokio::test]
async fn a_401_names_the_reason_in_the_recorded_body() {
    let atlas = slow().await;
    let client = TestClient::with_key(&atlas, DEFAULT_PUBLIC_KEY, "wrong");
    let refused = client.post(&endpoints(), "{}").await;
    assert_eq!((refused.status, refused.code()), (401, "UNEXPECTED_ERROR"));
    assert_eq!(refused.json["detail"], "You are not authorized for this resource.");
    assert_eq!(refused.json["reason"], "Unauthorized");
    assert!(refused.json.get("parameters").is_none());
    assert!(refused.header("www-authenticate").contains("stale=false"));
    assert_eq!(refused.header("content-type"), "application/json;charset=ISO-8859-1");
    assert_eq!(reasons(&atlas), [Some(Unauthenticated::NoCredentials), Some(Unauthenticated::WrongKey)]);
    assert_eq!(atlas.executed(Operation::Create), 0);
}

#[tokio::test]
async fn one_nonce_serves_many_requests_as_long_as_the_counter_rises() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let (_, nonce) = client.challenge(&endpoints()).await;
    let send = async |nc| {
        let header = client.digest("GET", &endpoints(), &nonce, nc);
        client.raw(Method::GET, &endpoints(), Some(&header), None).await.unwrap().status().as_u16()
    };
    assert_eq!([send(1).await, send(2).await, send(9).await], [200; 3]);
    assert_eq!([send(9).await, send(3).await], [401; 2], "a replay, and one that was overtaken");
    assert_eq!(send(10).await, 200);
    assert_eq!(reasons(&atlas)[4..6], [Some(Unauthenticated::Replayed); 2]);
}

#[tokio::test]
async fn requests_that_overtake_each_other_are_accepted_where_the_setting_says_so() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    for (counter, [overtaken, replayed]) in
        [(Counter::Rising, [401, 401]), (Counter::Unique, [200, 401]), (Counter::Any, [200, 200])]
    {
        atlas.configure(|settings| settings.digest.counter = counter);
        let (_, nonce) = client.challenge(&endpoints()).await;
        let send = async |nc| {
            let header = client.digest("GET", &endpoints(), &nonce, nc);
            client.raw(Method::GET, &endpoints(), Some(&header), None).await.unwrap().status().as_u16()
        };
        let statuses = [send(2).await, send(1).await, send(2).await];
        assert_eq!(statuses, [200, overtaken, replayed], "{counter:?}");
    }
}

#[tokio::test]
async fn an_old_or_unknown_nonce_is_stale_only_if_all_else_is_right() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let wrong = TestClient::with_key(&atlas, DEFAULT_PUBLIC_KEY, "wrong");
    let (_, nonce) = client.challenge(&endpoints()).await;
    atlas.configure(|settings| settings.digest.nonce_life = Duration::ZERO);
    for (client, nonce, stale) in
        [(&client, nonce.as_str(), true), (&client, "unknown", true), (&wrong, "unknown", false)]
    {
        let header = client.digest("GET", &endpoints(), nonce, 1);
        let response = client.raw(Method::GET, &endpoints(), Some(&header), None).await.unwrap();
        assert_eq!(response.status(), 401);
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains(&format!("stale={stale}")), "{nonce}: {challenge}");
    }
}

#[tokio::test]
async fn a_single_use_nonce_is_stale_the_second_time() {
    let atlas = slow().await;
    atlas.configure(|settings| settings.digest.single_use = true);
    let client = TestClient::new(&atlas);
    let (_, nonce) = client.challenge(&endpoints()).await;
    let send = async |nc| {
        let header = client.digest("GET", &endpoints(), &nonce, nc);
        got(client.raw(Method::GET, &endpoints(), Some(&header), None).await.unwrap()).await.unwrap()
    };
    assert_eq!(send(1).await.status, 200);
    assert!(send(2).await.header("www-authenticate").contains("stale=true"));
}

#[tokio::test]
async fn a_response_for_another_method_path_or_query_is_refused() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let (_, nonce) = client.challenge(&endpoints()).await;
    let target = format!("{}?pretty=true", endpoints());
    for (method, uri) in [("POST", target.as_str()), ("GET", &endpoints()), ("GET", "/")] {
        let header = client.digest(method, uri, &nonce, 1);
        let response = client.raw(Method::GET, &target, Some(&header), None).await.unwrap();
        assert_eq!(response.status(), 401, "{method} {uri}");
    }
    let header = client.digest("GET", &target, &nonce, 1);
    assert_eq!(client.raw(Method::GET, &target, Some(&header), None).await.unwrap().status(), 200);
}

#[tokio::test]
async fn ill_formed_headers_are_refused() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let (_, nonce) = client.challenge(&endpoints()).await;
    let good = client.digest("GET", &endpoints(), &nonce, 1);
    let bad = [
        good.replace("qop=auth, ", ""),
        good.replace("qop=auth", "qop=auth-int"),
        good.replace("nc=00000001", "nc=1"),
        good.replace("MMS Public API", "another realm"),
        good.replace("algorithm=MD5", "algorithm=SHA-256"),
        good.replace("Digest", "Basic"),
        format!("{good}, nc=00000002"),
    ];
    for header in bad {
        let response = client.raw(Method::GET, &endpoints(), Some(&header), None).await.unwrap();
        assert_eq!(response.status(), 401, "{header}");
    }
    assert_eq!(client.raw(Method::GET, &endpoints(), Some(&good), None).await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_form_on_the_seed_page_takes_the_older_response_only() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    for form in [ChallengeForm::Seed, ChallengeForm::WithoutQop] {
        atlas.configure(|settings| settings.digest.form = form);
        let (header, nonce) = client.challenge(&endpoints()).await;
        assert!(!header.contains("qop"), "{header}");
        assert_eq!(header.contains(r#"op="auth""#), form == ChallengeForm::Seed);
        let older = client.digest_2069("GET", &endpoints(), &nonce);
        assert_eq!(client.raw(Method::GET, &endpoints(), Some(&older), None).await.unwrap().status(), 200);
        let newer = client.digest("GET", &endpoints(), &nonce, 1);
        assert_eq!(client.raw(Method::GET, &endpoints(), Some(&newer), None).await.unwrap().status(), 401);
    }
}

#[tokio::test]
async fn challenges_come_in_every_wording_and_number() {
    let atlas = slow().await;
    let client = TestClient::new(&atlas);
    let challenges = async || {
        let response = client.raw(Method::GET, &endpoints(), None, None).await.unwrap();
        response
            .headers()
            .get_all("www-authenticate")
            .iter()
            .map(|v| v.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for (form, part) in [
        (ChallengeForm::LowerCase, "digest realm="),
        (ChallengeForm::LowerCase, "algorithm=md5"),
        (ChallengeForm::UpperCase, "DIGEST REALM="),
        (ChallengeForm::Spaced, "nonce = \""),
        (ChallengeForm::Unquoted, "qop=auth,stale"),
        (ChallengeForm::QopList, r#"qop="auth,auth-int""#),
        (ChallengeForm::Reversed, "Digest stale=false"),
    ] {
        atlas.configure(|settings| settings.digest.form = form);
        let lines = challenges().await;
        assert!(lines.len() == 1 && lines[0].contains(part), "{form:?}: {lines:?}");
    }
    atlas.configure(|Settings { digest, .. }| {
        digest.algorithms = vec![Algorithm::Sha256, Algorithm::Md5];
        digest.other_challenges = vec![r#"Basic realm="x""#.to_owned()];
    });
    assert_eq!(challenges().await.len(), 3);
    atlas.configure(|settings| settings.digest.one_line = true);
    assert_eq!(challenges().await.len(), 1);
}

#[tokio::test]
async fn sha_256_is_accepted_where_it_is_offered() {
    use sha2::{Digest, Sha256};
    let hash = |text: &str| data_encoding::HEXLOWER.encode(&Sha256::digest(text));
    let atlas = slow().await;
    atlas.configure(|settings| settings.digest.algorithms = vec![Algorithm::Sha256]);
    let client = TestClient::new(&atlas);
    let (header, nonce) = client.challenge(&endpoints()).await;
    assert!(header.contains("algorithm=SHA-256"));
    let uri = endpoints();
    let who = hash(&format!("{DEFAULT_PUBLIC_KEY}:MMS Public API:{}", atlas_simulator::DEFAULT_PRIVATE_KEY));
    let response = hash(&format!("{who}:{nonce}:00000001:c:auth:{}", hash(&format!("GET:{uri}"))));
    let header = format!(
        r#"Digest username="{DEFAULT_PUBLIC_KEY}", realm="MMS Public API", nonce="{nonce}", uri="{uri}", algorithm=SHA-256, qop=auth, nc=00000001, cnonce="c", response="{response}""#
    );
    assert_eq!(client.raw(Method::GET, &uri, Some(&header), None).await.unwrap().status(), 200);
}
