//! A Prometheus that scrapes one operator, and its query API.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use kube::Client;
use serde_json::Value;
use testbed::Process;

use crate::panels::Query;

/// Between two scrapes.
const SCRAPE: Duration = Duration::from_secs(1);

/// Between two points of a line.
const STEP: Duration = Duration::from_secs(2);

/// The value of Grafana's `$__rate_interval` at the usual scrape interval: it leaves room for a rate.
pub(crate) const RATE_INTERVAL: &str = "30s";

const PACKAGE: &str = "github.com/prometheus/prometheus/cmd/prometheus";

/// A line, with its name in the legend and a value for each time that has one.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) values: Vec<Option<f64>>,
}

pub(crate) struct Prometheus {
    _process: Process,
    client: Client,
    since: SystemTime,
}

impl Prometheus {
    pub(crate) async fn start(scraped: SocketAddr) -> Result<Self> {
        let program = testbed::go_tool("prometheus", PACKAGE, "prometheus").await?;
        let folder = crate::root().join("target/dashboard");
        // The data of the last run.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let settings = folder.join("prometheus.yml");
        std::fs::write(
            &settings,
            format!(
                "{{global: {{scrape_interval: {0}s, scrape_timeout: {0}s}}, scrape_configs: [{{job_name: spe-operator, \
                 static_configs: [{{targets: ['{scraped}']}}]}}]}}\n",
                SCRAPE.as_secs()
            ),
        )?;
        let address = crate::script::free_address()?;
        let mut command = std::process::Command::new(program);
        command
            .arg(format!("--config.file={}", settings.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let process = Process::spawn("prometheus", &command)?;
        let config = kube::Config::new(format!("http://{address}").parse()?);
        let prometheus =
            Self { _process: process, client: Client::try_from(config)?, since: SystemTime::now() };
        for _ in 0..100 {
            if prometheus.query("up == 1").await.is_ok_and(|up| !up.is_empty()) {
                return Ok(prometheus);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        anyhow::bail!("Prometheus does not see the operator at {scraped}")
    }

    /// Returns the results of the target's expression over all the time since the start.
    pub(crate) async fn evaluate(&self, target: &Query) -> Result<Vec<Series>> {
        let expression = target.expression.replace("$job", ".*").replace("$__rate_interval", RATE_INTERVAL);
        ensure!(!expression.contains('$'), "a variable that is not known: {expression}");
        let found = self.query(&expression).await?;
        let (start, end) = self.span()?;
        let count = (end - start) / STEP.as_secs() + 1;
        let mut lines: Vec<_> = found.iter().map(|one| line(one, &target.legend, start, count)).collect();
        lines.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(lines)
    }

    /// Returns the range from the first second to this one.
    fn span(&self) -> Result<(u64, u64)> {
        let of =
            |time: SystemTime| Ok::<_, anyhow::Error>(time.duration_since(SystemTime::UNIX_EPOCH)?.as_secs());
        Ok((of(self.since)?, of(SystemTime::now())?))
    }

    async fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let (start, end) = self.span()?;
        let path = format!(
            "/api/v1/query_range?query={}&start={start}&end={end}&step={}",
            encoded(expression),
            STEP.as_secs()
        );
        let response: Value = self.client.request(http::Request::get(path).body(Vec::new())?).await?;
        let found = response["data"]["result"].as_array();
        Ok(found.with_context(|| format!("{expression}: {response}"))?.clone())
    }
}

fn line(one: &Value, legend: &str, start: u64, count: u64) -> Series {
    let mut values = vec![None; usize::try_from(count).unwrap_or_default()];
    for pair in one["values"].as_array().into_iter().flatten() {
        // Prometheus steps from `start`, so each time is a whole second, and a whole number of steps away.
        let steps = pair[0].as_u64().unwrap_or(start).saturating_sub(start) / STEP.as_secs();
        let place = usize::try_from(steps).unwrap_or_default();
        let value =
            pair[1].as_str().and_then(|text| text.parse::<f64>().ok()).filter(|value| value.is_finite());
        if let Some(slot) = values.get_mut(place) {
            *slot = value;
        }
    }
    let mut name = legend.to_owned();
    let labels = one["metric"].as_object();
    for (label, value) in labels.into_iter().flatten() {
        name = name.replace(&format!("{{{{{label}}}}}"), value.as_str().unwrap_or_default());
    }
    if legend.is_empty() {
        let all = labels.into_iter().flatten();
        name = all
            .map(|(label, value)| format!("{label} {}", value.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join("   ");
    }
    Series { name, values }
}

/// Returns the text as a value in a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}
