//! Tests how flags and variables are parsed, and which are rejected with which message.

use super::*;

fn run(flags: &[&str]) -> Result<Box<Settings>, String> {
    let args = ["spe-operator", "run"].iter().chain(flags);
    match parse(args) {
        Ok(Command::Run(settings)) => Ok(settings),
        Ok(_) => Err("another command".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn error_of(flags: &[&str]) -> String {
    run(flags).map(|_| ()).expect_err(&format!("{flags:?}"))
}

#[test]
fn the_defaults_are_those_of_the_rules_and_of_the_client() {
    let settings = run(&[]).unwrap();
    assert_eq!(settings.times(), Times::default());
    let (ours, theirs) = (settings.atlas().unwrap(), ClientSettings::default());
    assert_eq!(
        (ours.base_url, ours.api_version, ours.timeout),
        (theirs.base_url, theirs.api_version, theirs.timeout)
    );
    assert!(!settings.atlas_allow_http && !settings.leader_elect && !settings.metrics_per_object);
    assert_eq!(settings.lease(), LeaderElectionConfig::default());
    assert!(settings.watch_namespaces.is_empty());
    assert_eq!(settings.travel_allowance, Duration::from_mins(1));
    assert_eq!((settings.poll_min, settings.poll_max), (Duration::from_secs(5), Duration::from_mins(1)));
}

#[test]
fn the_version_for_dedicated_clusters_is_v2_unless_one_is_given() {
    let versions = |flags: &[&str]| {
        let atlas = run(flags).unwrap().atlas().unwrap();
        (atlas.api_version, atlas.dedicated_api_version)
    };
    // The second run of this test, in a process that has the variable.
    if let Some(variable) = std::env::var_os("SPE_ATLAS_API") {
        assert_eq!(variable, "v1.0");
        assert_eq!(versions(&[]), (ApiVersion::V1, ApiVersion::V1));
        assert_eq!(versions(&["--atlas-api=v2"]), (ApiVersion::V2, ApiVersion::V2));
        return;
    }
    assert_eq!(versions(&[]), (ApiVersion::V1, ApiVersion::V2));
    assert_eq!(versions(&["--atlas-api=v1.0"]), (ApiVersion::V1, ApiVersion::V1));
    assert_eq!(versions(&["--atlas-api=v2"]), (ApiVersion::V2, ApiVersion::V2));
    let name = "app::settings::tests::the_version_for_dedicated_clusters_is_v2_unless_one_is_given";
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    let output = again.args(["--exact", name]).env("SPE_ATLAS_API", "v1.0").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn every_setting_is_read_from_its_flag() {
    let settings = run(&[
        "--atlas-base-url=https://atlas.example",
        "--atlas-allow-http",
        "--atlas-api=v2",
        "--atlas-proxy=http://proxy.example:3128",
        "--cluster-id=prod.eu_1-a",
        "--watch-namespaces=team-a,team-b",
        "--watch-selector=tier in (prod)",
        "--concurrency=7",
        "--poll-min=1s",
        "--poll-max=1h30m",
        "--create-deadline=100ms",
        "--atlas-timeout=300ms",
        "--travel-allowance=0s",
        "--create-uncertainty=800ms",
        "--confirm-gap=200ms",
        "--visibility-window=400ms",
        "--default-credentials-secret=atlas.key",
        "--default-credentials-namespaces=team-a",
        "--leader-elect=true",
        "--lease-name=lead",
        "--lease-namespace=ops",
        "--lease-duration=60s",
        "--lease-renew-deadline=40s",
        "--lease-retry-period=500ms",
        "--admin-address=127.0.0.1:0",
        "--metrics-per-object",
        "--docs-base-url=https://git.example/spe-operator/blob/v1/",
        "--log-format=json",
        "--log-level=debug,hyper=warn",
    ])
    .unwrap();
    assert_eq!(
        settings.lease(),
        LeaderElectionConfig {
            lease_duration: Duration::from_mins(1),
            renew_deadline: Duration::from_secs(40),
            retry_period: Duration::from_millis(500),
        }
    );
    let atlas = settings.atlas().unwrap();
    assert_eq!(atlas.base_url, "https://atlas.example");
    assert_eq!(atlas.api_version, ApiVersion::V2);
    assert_eq!(atlas.timeout, Duration::from_millis(300));
    assert_eq!(atlas.proxy.as_deref(), Some("http://proxy.example:3128"));
    assert!(atlas.allow_http);
    assert_eq!(settings.cluster_id.unwrap().as_str(), "prod.eu_1-a");
    assert_eq!(settings.watch_namespaces, ["team-a", "team-b"]);
    assert_eq!(settings.watch_selector.as_deref(), Some("tier in (prod)"));
    assert_eq!(settings.concurrency.get(), 7);
    assert_eq!((settings.poll_min, settings.poll_max), (Duration::from_secs(1), Duration::from_mins(90)));
    assert_eq!(settings.create_deadline, Duration::from_millis(100));
    assert_eq!(settings.travel_allowance, Duration::ZERO);
    assert_eq!(settings.create_uncertainty, Duration::from_millis(800));
    assert_eq!(settings.confirm_gap, Duration::from_millis(200));
    assert_eq!(settings.visibility_window, Duration::from_millis(400));
    assert_eq!(settings.default_credentials_secret.as_deref(), Some("atlas.key"));
    assert_eq!(settings.default_credentials_namespaces, ["team-a"]);
    assert!(settings.leader_elect);
    assert_eq!((settings.lease_name.as_str(), settings.lease_namespace.as_deref()), ("lead", Some("ops")));
    assert_eq!(settings.admin_address.port(), 0);
    assert!(settings.metrics_per_object);
    assert_eq!(settings.docs_base_url.as_deref(), Some("https://git.example/spe-operator/blob/v1/"));
    assert_eq!(settings.log_format, LogFormat::Json);
    assert_eq!(settings.log_level, "debug,hyper=warn");
}

#[test]
fn an_uncertainty_that_could_create_twice_is_rejected() {
    let scaled = ["--create-deadline=1s", "--atlas-timeout=2s", "--travel-allowance=3s"];
    assert!(run(&[&scaled[..], &["--create-uncertainty=12s"]].concat()).is_ok());
    let line = error_of(&[&scaled[..], &["--create-uncertainty=11999ms"]].concat());
    assert!(
        line.contains("--create-uncertainty (SPE_CREATE_UNCERTAINTY)") && line.contains("at least 12s"),
        "{line}"
    );
    assert!(line.contains("11.999s"), "{line}");
    // A sum beyond the range of a duration stays too large.
    error_of(&["--travel-allowance=2500000h"]);
}

#[test]
fn a_value_rejected_by_clap_is_named_with_its_flag() {
    for (flags, parts) in [
        (&["--poll-min=5"][..], &["--poll-min", "'5'", "such as 90s"][..]),
        (&["--poll-min=0s"], &["--poll-min", "'0s'", "greater than zero"]),
        (&["--atlas-api=v3"], &["--atlas-api", "'v3'", "v1.0, v2"]),
        (&["--log-format=yaml"], &["--log-format", "'yaml'", "text, json"]),
        (&["--leader-elect=yes"], &["--leader-elect", "'yes'", "true, false"]),
        (&["--concurrency=0"], &["--concurrency", "'0'", "greater than zero"]),
        (&["--concurrency=1025"], &["--concurrency", "'1025'", "at most 1024"]),
        (&["--concurrency=18446744073709551615"], &["--concurrency", "at most 1024"]),
        (&["--concurrency=many"], &["--concurrency", "'many'", "whole number"]),
        (&["--admin-address=8080"], &["--admin-address", "'8080'"]),
        (&["--cluster-id=a/b"], &["--cluster-id", "'a/b'", "63"]),
        (&["--watch-namespaces="], &["--watch-namespaces", "a namespace"]),
        (&["--watch-namespaces=a,,b"], &["--watch-namespaces", "a namespace"]),
        (&["--watch-namespaces=a, b"], &["--watch-namespaces", "' b'", "a namespace"]),
        (&["--watch-selector= "], &["--watch-selector", "' '", "leave"]),
        (&["--lease-name=A"], &["--lease-name", "'A'", "lower-case"]),
        (&["--lease-duration=2500ms"], &["--lease-duration", "'2500ms'", "whole seconds"]),
        (&["--lease-retry-period=0s"], &["--lease-retry-period", "greater than zero"]),
        (&["--docs-base-url=docs/"], &["--docs-base-url", "'docs/'", "https://"]),
        (&["--docs-base-url=https://a.example/(b)/"], &["--docs-base-url", "https://"]),
        (&["--log-level=inof"], &["--log-level", "'inof'", "info"]),
        (&["--log-level=kube=loud"], &["--log-level", "'kube=loud'", "info"]),
        (&["--poll-min"], &["--poll-min", "none was supplied"]),
        (&["--poll-min=1s", "--poll-min=2s"], &["--poll-min", "multiple times"]),
        (&["--pol-min=1s"], &["unexpected argument '--pol-min'"]),
        (&["--leader-elect", "false"], &["unexpected argument 'false'"]),
    ] {
        let text = error_of(flags);
        for part in parts {
            assert!(text.contains(part), "{flags:?}: {part:?} is missing in {text:?}");
        }
    }
}

#[test]
fn conflicting_settings_are_one_line_with_flag_and_variable() {
    for (flags, parts) in [
        (&["--poll-min=61s"][..], &["--poll-min (SPE_POLL_MIN)", "61s", "--poll-max (60s)"][..]),
        (&["--lease-duration=10s"], &["SPE_LEASE_DURATION", "more than --lease-renew-deadline (10s)"]),
        (&["--lease-retry-period=9s"], &["SPE_LEASE_RENEW_DEADLINE", "1.2 times --lease-retry-period (9s)"]),
        (&["--default-credentials-secret=a"], &["SPE_DEFAULT_CREDENTIALS_NAMESPACES", "nothing"]),
        (&["--default-credentials-namespaces=a"], &["SPE_DEFAULT_CREDENTIALS_SECRET", "nothing"]),
        (&["--atlas-proxy=proxy.example:3128"], &["SPE_ATLAS_PROXY", "http://host:port"]),
        (&["--atlas-proxy=socks5://proxy.example:3128"], &["SPE_ATLAS_PROXY", "http://host:port"]),
    ] {
        let line = error_of(flags);
        assert!(!line.contains('\n'), "{line}");
        for part in parts {
            assert!(line.contains(part), "{flags:?}: {part:?} is missing in {line:?}");
        }
    }
}

#[test]
fn an_invalid_proxy_is_not_repeated_as_it_may_hold_a_password() {
    let line = error_of(&["--atlas-proxy=user:hidden@proxy.example:3128"]);
    assert!(!line.contains("hidden"), "{line}");
}

#[test]
fn an_unreadable_file_of_authorities_is_named() {
    let settings = run(&["--atlas-ca-file=/nowhere/ca.pem"]).unwrap();
    let line = settings.atlas().map(|_| ()).unwrap_err().to_string();
    assert!(line.contains("SPE_ATLAS_CA_FILE") && line.contains("/nowhere/ca.pem"), "{line}");
}

#[test]
fn a_file_without_usable_authority_is_rejected_by_position() {
    let path = std::env::temp_dir().join(format!("spe-settings-{}.pem", std::process::id()));
    let settings = run(&["--atlas-ca-file", path.to_str().unwrap()]).unwrap();
    for (text, part) in [
        ("", "contain no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1 is no certificate"),
        ("-----BEGIN CERTIFICATE-----\nA*AA\n-----END CERTIFICATE-----\n", "certificate 1 is no base64"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "certificate 1 has no line"),
        (
            "-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n",
            "is a TRUSTED CERTIFICATE",
        ),
    ] {
        std::fs::write(&path, text).unwrap();
        let line = settings.atlas().map(|_| ()).unwrap_err().to_string();
        for part in ["--atlas-ca-file (SPE_ATLAS_CA_FILE)", path.to_str().unwrap(), part] {
            assert!(line.contains(part), "{part:?} is missing in {line:?}");
        }
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_proxy_of_the_environment_is_named_where_it_is_not_used() {
    let set = |name: &str| matches!(name, "HTTPS_PROXY" | "all_proxy");
    assert_eq!(run(&[]).unwrap().unused_proxies(set), ["HTTPS_PROXY", "all_proxy"]);
    assert!(run(&[]).unwrap().unused_proxies(|_| false).is_empty());
    assert!(run(&["--atlas-proxy=http://proxy.example:3128"]).unwrap().unused_proxies(set).is_empty());
}

#[test]
fn help_and_version_exit_with_0_and_usage_errors_with_2() {
    let code = |args: &[&str]| match parse(args) {
        Err(UsageError::CommandLine(error)) => error.exit_code(),
        _ => panic!("{args:?}"),
    };
    for args in [&["spe-operator", "--version"][..], &["spe-operator", "run", "--help"]] {
        assert_eq!(code(args), 0, "{args:?}");
    }
    for args in [&["spe-operator"][..], &["spe-operator", "start"], &["spe-operator", "check", "localhost"]] {
        assert_eq!(code(args), 2, "{args:?}");
    }
}

#[test]
fn help_shows_every_variable_but_no_value() {
    let Err(help) = parse(["spe-operator", "run", "--help"]) else { panic!() };
    for name in ["SPE_ATLAS_BASE_URL", "SPE_LOG_LEVEL", "SPE_CREATE_UNCERTAINTY", "SPE_LEASE_NAMESPACE"] {
        assert!(help.to_string().contains(name), "{name}");
    }
}

/// One noun phrase or imperative; the symbols of the rules stand in the documentation.
#[test]
fn help_is_short_and_holds_no_symbol_of_the_rules() {
    let program = command_line();
    for argument in program.get_subcommands().flat_map(clap::Command::get_arguments) {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.len() <= 140, "{help}");
        for symbol in ["D:", "T:", "S:", "Q:", "G:", "V:", "(D+T+S)"] {
            assert!(!help.contains(symbol), "{help}");
        }
    }
}

#[test]
fn every_flag_has_its_variable() {
    let program = command_line();
    let run = program.find_subcommand("run").unwrap();
    for argument in run.get_arguments().filter(|argument| argument.get_id() != "help") {
        let name = argument.get_long().unwrap();
        let variable = argument.get_env().unwrap().to_str().unwrap();
        assert_eq!(variable, format!("SPE_{}", name.to_uppercase().replace('-', "_")));
    }
}
