//! Every sample, applied as it is, has the effect that its own comment describes.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use atlas_simulator::{DEFAULT_INSTANCE, DEFAULT_PROJECT, Endpoint};

use crate::book::root;
use crate::fixture::{PageFixture, Requirements};

/// Each sample, with its reason of Ready once the objects that it refers to exist.
const ENDS: [(&str, &str); 10] = [
    ("adopt", "Reserved"),
    ("basic", "Reserved"),
    ("observe", "Reserved"),
    ("output-config-map", "Available"),
    ("retain", "Reserved"),
    ("suspended", "Suspended"),
    ("vpc-endpoint-ack", "Available"),
    ("vpc-endpoint-config-map", "Available"),
    ("vpc-endpoint-id", "Available"),
    ("vpc-endpoint-upbound", "Available"),
];

/// How the samples of the kinds begin that no controller reconciles yet.
const WITHOUT_CONTROLLER: &str = "private-endpoint";

/// The VPC endpoints that the samples refer to, with their ids.
const NETWORK: &str = r#"
make_key
for group in ec2.services.k8s.aws/v1alpha1 ec2.aws.m.upbound.io/v1beta1; do
    echo "{apiVersion: $group, kind: VPCEndpoint, metadata: {name: orders}}" | kubectl apply -f -
done
kubectl patch vpcendpoints.ec2.services.k8s.aws orders --subresource=status --type=merge \
    -p '{"status": {"vpcEndpointID": "vpce-0a1b2c3d4e5f60718"}}'
kubectl patch vpcendpoints.ec2.aws.m.upbound.io orders --subresource=status --type=merge \
    -p '{"status": {"atProvider": {"id": "vpce-0a1b2c3d4e5f60719"}}}'
"#;

#[tokio::test]
async fn every_sample_reaches_its_purpose() {
    let fixture = PageFixture::build("samples", &Requirements::default()).await;
    // What `adopt` and `observe` name.
    let named = Endpoint { id: "5f7cac1adf5d6c6306f4b283".to_owned(), ..Endpoint::reserved(None) };
    fixture.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, named);
    let mut script = NETWORK.to_owned();
    for (name, _) in ENDS {
        let file = root().join("deploy/samples").join(name).with_extension("yaml");
        let _ = writeln!(script, "kubectl apply --validate=strict -f {}", file.display());
    }
    for (name, reason) in ENDS {
        let _ = writeln!(script, "eventually reason_is {name} {reason}");
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages/samples");
    fs::create_dir_all(&folder).unwrap();
    fixture.play("samples", &folder, &script).await.unwrap();
}

#[test]
fn no_sample_is_forgotten() {
    let files = fs::read_dir(root().join("deploy/samples")).unwrap();
    let mut names: Vec<_> = files
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned))
        .filter(|name| name != "secret" && name != "kustomization" && !name.starts_with(WITHOUT_CONTROLLER))
        .collect();
    names.sort();
    assert_eq!(names, ENDS.map(|(name, _)| name));
}
