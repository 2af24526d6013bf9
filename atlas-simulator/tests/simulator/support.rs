//! A raw client with a Digest of its own, so that the simulator is judged by independent code.

use std::time::Duration;

use atlas_simulator::{
    DEFAULT_CLIENT_ID, DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY, Pace,
    Settings, Simulator,
};
use md5::{Digest, Md5};
use reqwest::{Method, Response, header::HeaderMap};
use serde_json::Value;

/// The path of the default instance's endpoints in v1.0.
pub(crate) fn endpoints() -> String {
    format!("/api/atlas/v1.0{}", tail(DEFAULT_PROJECT, DEFAULT_INSTANCE))
}

/// The path below the version.
pub(crate) fn tail(project: &str, instance: &str) -> String {
    format!("/groups/{project}/privateEndpoint/serverless/instance/{instance}/endpoint")
}

/// A response as tests need it: status, headers, JSON (`null` if the body is none).
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn code(&self) -> &str {
        self.json["errorCode"].as_str().unwrap_or_default()
    }

    pub(crate) fn id(&self) -> String {
        self.json["_id"].as_str().unwrap_or_else(|| panic!("no _id in {self:?}")).to_owned()
    }
}

/// One key of one simulator. Every call requests a challenge first, as curl does.
#[derive(Debug, Clone)]
pub(crate) struct TestClient {
    http: reqwest::Client,
    base: String,
    public: String,
    private: String,
    headers: Vec<(&'static str, String)>,
}

impl TestClient {
    pub(crate) fn new(atlas: &Simulator) -> Self {
        Self::with_key(atlas, DEFAULT_PUBLIC_KEY, DEFAULT_PRIVATE_KEY)
    }

    pub(crate) fn with_key(atlas: &Simulator, public: &str, private: &str) -> Self {
        Self {
            http: http(),
            base: atlas.url(),
            public: public.to_owned(),
            private: private.to_owned(),
            headers: vec![],
        }
    }

    /// Returns the same client for API v2.
    pub(crate) fn v2(self) -> Self {
        self.with_header("Accept", "application/vnd.atlas.2023-01-01+json".to_owned())
    }

    /// Returns the same client, with this header in each request.
    pub(crate) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sends the request as it is.
    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        authorization: Option<&str>,
        body: Option<&str>,
    ) -> reqwest::Result<Response> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_owned());
        }
        request.send().await
    }

    /// Challenge, response; the outcome even if the connection breaks.
    pub(crate) async fn attempt(
        &self,
        method: Method,
        path: &str,
        body: Option<&str>,
    ) -> reqwest::Result<Got> {
        let challenge = got(self.raw(method.clone(), path, None, body).await?).await?;
        assert_eq!(challenge.status, 401, "expected a challenge, got {challenge:?}");
        let nonce = nonce(challenge.header("www-authenticate"));
        let authorization = self.digest(method.as_str(), path, &nonce, 1);
        got(self.raw(method, path, Some(&authorization), body).await?).await
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&str>) -> Got {
        self.attempt(method, path, body).await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Got {
        self.call(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &str) -> Got {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Got {
        self.call(Method::DELETE, path, None).await
    }

    /// Returns an Authorization header with qop=auth.
    pub(crate) fn digest(&self, method: &str, uri: &str, nonce: &str, nc: u32) -> String {
        let (who, what) = self.halves(method, uri);
        let nc = format!("{nc:08x}");
        let response = md5(&format!("{who}:{nonce}:{nc}:0a4f113b:auth:{what}"));
        format!(
            r#"Digest username="{}", realm="MMS Public API", nonce="{nonce}", uri="{uri}", qop=auth, nc={nc}, cnonce="0a4f113b", response="{response}", algorithm=MD5"#,
            self.public
        )
    }

    /// Returns an Authorization header in the older form, without qop.
    pub(crate) fn digest_2069(&self, method: &str, uri: &str, nonce: &str) -> String {
        let (who, what) = self.halves(method, uri);
        let response = md5(&format!("{who}:{nonce}:{what}"));
        format!(
            r#"Digest username="{}", realm="MMS Public API", nonce="{nonce}", uri="{uri}", response="{response}""#,
            self.public
        )
    }

    fn halves(&self, method: &str, uri: &str) -> (String, String) {
        (md5(&format!("{}:MMS Public API:{}", self.public, self.private)), md5(&format!("{method}:{uri}")))
    }

    /// Returns a challenge's header and nonce.
    pub(crate) async fn challenge(&self, path: &str) -> (String, String) {
        let response = self.raw(Method::GET, path, None, None).await.unwrap();
        assert_eq!(response.status(), 401);
        let header = response.headers()["www-authenticate"].to_str().unwrap().to_owned();
        let nonce = nonce(&header);
        (header, nonce)
    }
}

/// Requests an access token as the default service account.
pub(crate) async fn token(atlas: &Simulator, secret: &str, form: &'static str) -> Got {
    let basic = data_encoding::BASE64.encode(format!("{DEFAULT_CLIENT_ID}:{secret}").as_bytes());
    let request = http()
        .post(format!("{}/api/oauth/token", atlas.url()))
        .header("Authorization", format!("Basic {basic}"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form);
    got(request.send().await.unwrap()).await.unwrap()
}

fn http() -> reqwest::Client {
    reqwest::Client::builder()
        .timeout(Duration::from_secs(20))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}

pub(crate) async fn got(response: Response) -> reqwest::Result<Got> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await?;
    let json = serde_json::from_slice(&bytes).unwrap_or_default();
    Ok(Got { status, headers, text: String::from_utf8_lossy(&bytes).into_owned(), json })
}

pub(crate) fn nonce(header: &str) -> String {
    let (_, rest) = header.split_once("nonce=\"").unwrap_or_else(|| panic!("no nonce in {header}"));
    rest.split('"').next().unwrap().to_owned()
}

pub(crate) fn md5(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Md5::digest(text))
}

/// A simulator whose phases end only when a test ends them.
pub(crate) async fn slow() -> Simulator {
    atlas(Duration::from_hours(1)).await
}

/// A simulator without any latency.
pub(crate) async fn instant() -> Simulator {
    atlas(Duration::ZERO).await
}

/// A simulator with phases of this length.
pub(crate) async fn atlas(phase: Duration) -> Simulator {
    Simulator::start(Settings::at_pace(Pace::of(phase))).await.unwrap()
}

/// Waits for a condition, at most ten seconds.
pub(crate) async fn until(atlas: &Simulator, what: &str, condition: impl Fn(&Simulator) -> bool) {
    tokio::time::timeout(Duration::from_secs(10), atlas.until(condition))
        .await
        .unwrap_or_else(|_| panic!("{what} did not happen; the journal: {:#?}", atlas.journal()));
}
