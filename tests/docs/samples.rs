//! Every sample, applied as it is, has the effect that its own comment describes.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use atlas_simulator::{AtlasService, DEFAULT_INSTANCE, DEFAULT_PROJECT, Endpoint, Simulator};
use serde_json::Value;

use crate::book::root;
use crate::fixture::{PageFixture, Requirements};

/// Each sample, with the reason of Ready of all its objects once what it refers to exists. What another sample refers to comes first.
const ENDS: [(&str, &str); 15] = [
    ("adopt", "Reserved"),
    ("basic", "Reserved"),
    ("observe", "Reserved"),
    ("output-config-map", "Available"),
    ("private-endpoint-service", "Available"),
    ("private-endpoint-shared", "Available"),
    ("private-endpoint", "Available"),
    ("private-endpoint-config-map", "Available"),
    ("private-endpoint-suspended", "Suspended"),
    ("retain", "Reserved"),
    ("suspended", "Suspended"),
    ("vpc-endpoint-ack", "Available"),
    ("vpc-endpoint-config-map", "Available"),
    ("vpc-endpoint-id", "Available"),
    ("vpc-endpoint-upbound", "Available"),
];

/// The samples about services that others made, or of other clouds. They are in other regions than the endpoints above, of which one has
/// several: Atlas grants a project one or the other.
const ENDS_AT_OTHERS: [(&str, &str); 5] = [
    ("private-endpoint-adopt", "Available"),
    ("private-endpoint-azure", "Available"),
    ("private-endpoint-gcp", "Available"),
    ("private-endpoint-look-up", "Available"),
    ("private-endpoint-observe", "Available"),
];

/// The services that others made, by region, each with the VPC endpoint that a sample names and whether others registered it.
const OF_OTHERS: [(&str, &str, bool); 3] = [
    ("US_WEST_2", "vpce-0a1b2c3d4e5f60722", true),
    ("US_WEST_1", "vpce-0a1b2c3d4e5f60723", true),
    ("US_EAST_1", "vpce-0a1b2c3d4e5f60721", false),
];

/// The VPC endpoints that the samples name at the service of `private-endpoint-service.yaml`.
const OF_OUR_SERVICE: [&str; 2] = ["vpce-0a1b2c3d4e5f60718", "vpce-0a1b2c3d4e5f60720"];

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

/// What the samples name in the other clouds, at the services that they declare.
const OTHER_CLOUDS: &str = r#"
eventually reason_is pesvc/orders-azure Available
eventually reason_is pesvc/orders-gcp Available
SERVICE=$(kubectl get pesvc orders-azure --output jsonpath='{.status.privateLinkServiceResourceId}')
ID=/subscriptions/0a1b2c3d/resourceGroups/shop/providers/Microsoft.Network/privateEndpoints/orders
atlas POST private-endpoints "{\"id\": \"$ID\", \"service_name\": \"$SERVICE\"}"
ATTACHMENT=$(kubectl get pesvc orders-gcp --output jsonpath='{.status.serviceAttachmentNames[0]}')
RULE=projects/shop-1/regions/us-central1/forwardingRules/orders
atlas POST forwarding-rules "{\"id\": \"$RULE\", \"service_name\": \"$ATTACHMENT\"}"
"#;

#[tokio::test]
async fn every_sample_reaches_its_purpose() {
    let fixture = PageFixture::build("samples", &Requirements::default()).await;
    // What `adopt` and `observe` name.
    let named = Endpoint { id: "5f7cac1adf5d6c6306f4b283".to_owned(), ..Endpoint::reserved(None) };
    fixture.atlas.insert_endpoint(DEFAULT_PROJECT, DEFAULT_INSTANCE, named);
    let mut script = NETWORK.to_owned();
    apply(&ENDS, &mut script);
    script.push_str("eventually reason_is pesvc/orders Available\n");
    for vpc_endpoint in OF_OUR_SERVICE {
        let _ = writeln!(script, "aws_has {vpc_endpoint} \"$(service_name orders)\"");
    }
    await_ends(&ENDS, &mut script);
    play("samples", &fixture, &script).await;
}

#[tokio::test]
async fn every_sample_about_the_services_of_others_reaches_its_purpose() {
    let fixture = PageFixture::build("samples-of-others", &Requirements::default()).await;
    // Their endpoints may be registered before they are made.
    fixture.atlas.configure(|settings| {
        settings.dedicated.variants.azure.failed_heals = true;
        settings.dedicated.variants.gcp.failed_heals = true;
    });
    make_services_of_others(&fixture.atlas);
    let mut script = "make_key\n".to_owned();
    apply(&ENDS_AT_OTHERS, &mut script);
    script.push_str(OTHER_CLOUDS);
    await_ends(&ENDS_AT_OTHERS, &mut script);
    play("samples-of-others", &fixture, &script).await;
}

fn apply(ends: &[(&str, &str)], script: &mut String) {
    for (name, _) in ends {
        let _ = writeln!(script, "kubectl apply --validate=strict -f {}", file(name).display());
    }
}

fn await_ends(ends: &[(&str, &str)], script: &mut String) {
    for (name, reason) in ends {
        for object in objects(name) {
            let _ = writeln!(script, "eventually reason_is {object} {reason}");
        }
    }
}

async fn play(name: &str, fixture: &PageFixture, script: &str) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages").join(name);
    fs::create_dir_all(&folder).unwrap();
    fixture.play(name, &folder, script).await.unwrap();
}

fn make_services_of_others(atlas: &Simulator) {
    for (region, vpc_endpoint, is_registered) in OF_OTHERS {
        let service = AtlasService::available(region);
        atlas.make_vpc_endpoint(vpc_endpoint, &service.service_name().unwrap());
        let id = atlas.insert_service(DEFAULT_PROJECT, service);
        assert!(!is_registered || atlas.register_endpoint(&id, vpc_endpoint));
    }
}

fn file(sample: &str) -> PathBuf {
    root().join("deploy/samples").join(sample).with_extension("yaml")
}

/// Returns the operator's own objects of a sample, as kubectl names them.
fn objects(sample: &str) -> Vec<String> {
    let text = fs::read_to_string(file(sample)).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let ours = documents.into_iter().filter(|one| one["apiVersion"] == "atlas.spe-operator.io/v1alpha1");
    let name = |one: Value| {
        format!("{}/{}", one["kind"].as_str().unwrap(), one["metadata"]["name"].as_str().unwrap())
    };
    ours.map(name).collect()
}

#[test]
fn no_sample_is_forgotten() {
    let files = fs::read_dir(root().join("deploy/samples")).unwrap();
    let mut names: Vec<_> = files
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned))
        .filter(|name| name != "secret" && name != "kustomization")
        .collect();
    names.sort();
    let mut played: Vec<_> = ENDS.iter().chain(&ENDS_AT_OTHERS).map(|(name, _)| *name).collect();
    played.sort_unstable();
    assert_eq!(names, played);
}
