//! The script of the demo, step by step.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use atlas_simulator::{DEFAULT_INSTANCE, DEFAULT_PRIVATE_KEY, DEFAULT_PROJECT, DEFAULT_PUBLIC_KEY};
use serde_json::{Value, json};

use crate::fixture::{DemoFixture, Resource};

/// The endpoint service of a dedicated cluster: a sample that the README shows.
const SERVICE: Resource = Resource {
    kind: "PrivateEndpointService",
    plural: "privateendpointservices",
    short: "pesvc",
    name: "orders",
};

/// The endpoint of a dedicated cluster.
const ENDPOINT: Resource =
    Resource { kind: "PrivateEndpoint", plural: "privateendpoints", short: "pe", name: "orders" };

/// The endpoint of a serverless instance.
const SERVERLESS: Resource = Resource {
    kind: "ServerlessPrivateEndpoint",
    plural: "serverlessprivateendpoints",
    short: "spe",
    name: "basic",
};

/// The VPC endpoint that the sample of [`ENDPOINT`] names.
const VPC_ENDPOINT: &str = "vpce-0a1b2c3d4e5f60718";

/// The ConfigMap that an application would mount.
const STRINGS: &str = "orders-strings";

/// The response of AWS to the second `create-vpc-endpoint`.
const SERVERLESS_VPC_ENDPOINT: &str = "vpce-0a1b2c3d4e5f60719";

/// The annotation that requests a reconcile.
const RECONCILE_REQUEST: &str = "reconcile.fluxcd.io/requestedAt";

/// Runs the script; `leave` ends it with the deletion of all objects instead of waiting for Ctrl-C.
pub(crate) async fn run(leave: bool) -> Result<()> {
    let fixture = DemoFixture::build().await?;
    fixture.create_secret().await?;
    connect_cluster(&fixture).await?;
    connect_instance(&fixture).await?;
    if leave {
        disconnect_cluster(&fixture).await?;
        return disconnect_instance(&fixture).await;
    }
    invite(&fixture).await?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// Two manifests become a private endpoint of a dedicated cluster.
async fn connect_cluster(fixture: &DemoFixture) -> Result<()> {
    println!("\n== A dedicated cluster ==");
    fixture.apply("private-endpoint-service.yaml").await?;
    fixture.until(&SERVICE, "AVAILABLE").await?;
    let service = service_name(&fixture.object(&SERVICE).await?)?;
    println!("\nThe endpoint service can be used. You would now create a VPC endpoint for it:\n");
    print_create_vpc_endpoint(&service);
    println!("The demo plays that part, in a simulated cloud.");
    fixture.atlas.make_vpc_endpoint(VPC_ENDPOINT, &service);
    fixture.apply("private-endpoint.yaml").await?;
    fixture.until(&ENDPOINT, "AVAILABLE").await?;
    let object = fixture.object(&ENDPOINT).await?;
    let strings = &object["status"]["connectionStrings"][0];
    let srv = strings["srv"].as_str().context("no connection string")?;
    println!("\nThe private endpoint is connected. Clients of the cluster {} use:\n", strings["cluster"]);
    println!("    {srv}");
    println!("\nAn application reads it from a ConfigMap that the endpoint names:\n");
    fixture.patch(&ENDPOINT, json!({"spec": {"outputConfigMap": {"name": STRINGS}}})).await?;
    let written = fixture.config_map_entry(STRINGS, "srv_orders").await?;
    ensure!(written == srv, "the ConfigMap says {written}");
    println!("\n$ kubectl get configmap {STRINGS} -o jsonpath='{{.data.srv_orders}}'\n");
    println!("    {written}");
    Ok(())
}

/// One manifest becomes a private endpoint of a serverless instance.
async fn connect_instance(fixture: &DemoFixture) -> Result<()> {
    println!("\n== A serverless instance ==");
    let started = Instant::now();
    fixture.apply("basic.yaml").await?;
    fixture.until(&SERVERLESS, "RESERVED").await?;
    println!("\nThe endpoint service is reserved. You would now create a VPC endpoint for it:\n");
    print_create_vpc_endpoint(&service_name(&fixture.object(&SERVERLESS).await?)?);
    println!("and declare its id. The demo plays that part:\n");
    let change = json!({"spec": {"cloudProviderEndpointId": SERVERLESS_VPC_ENDPOINT}});
    fixture.patch(&SERVERLESS, change).await?;
    fixture.until(&SERVERLESS, "AVAILABLE").await?;
    println!("\nThe endpoint is AVAILABLE, {} s after kubectl apply.", started.elapsed().as_secs());
    Ok(())
}

/// The service is deleted first, and waits for its endpoint.
async fn disconnect_cluster(fixture: &DemoFixture) -> Result<()> {
    println!("\n== The end ==");
    fixture.delete(&SERVICE, " --wait=false").await?;
    fixture.watch(&SERVICE, |row| row.cell("REASON") == "InUse").await?;
    let object = fixture.object(&SERVICE).await?;
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions.into_iter().find(|condition| condition["type"] == "Ready");
    let message = ready.and_then(|ready| ready["message"].as_str()).context("no condition Ready")?;
    ensure!(message.contains(ENDPOINT.name), "{message} does not name the endpoint");
    println!("\nThe service waits for its endpoint, which stays connected. Its condition says:\n");
    println!("    {message}");
    fixture.delete(&ENDPOINT, "").await?;
    let mut took = fixture.until_gone(&ENDPOINT).await?;
    took += fixture.until_gone(&SERVICE).await?;
    let left = fixture.atlas.services(DEFAULT_PROJECT);
    ensure!(left.is_empty(), "the objects are gone, but Atlas still holds {left:?}");
    println!(
        "\nBoth objects are gone after {} s, and Atlas holds no endpoint service any more.",
        took.as_secs()
    );
    Ok(())
}

async fn disconnect_instance(fixture: &DemoFixture) -> Result<()> {
    fixture.delete(&SERVERLESS, "").await?;
    let took = fixture.until_gone(&SERVERLESS).await?;
    let left = fixture.atlas.endpoints(DEFAULT_PROJECT, DEFAULT_INSTANCE);
    ensure!(left.is_empty(), "the object is gone, but Atlas still holds {left:?}");
    println!("\nThe object is gone after {} s, and Atlas holds no endpoint any more.", took.as_secs());
    Ok(())
}

async fn invite(fixture: &DemoFixture) -> Result<()> {
    let (namespace, atlas) = (&fixture.namespace, fixture.atlas.url());
    let id = fixture.object(&SERVERLESS).await?["status"]["_id"].as_str().unwrap_or_default().to_owned();
    println!("\nEverything stays up until Ctrl-C. Look around, in another terminal:\n");
    println!("    export KUBECONFIG={}", fixture.control_plane.kubeconfig_file().display());
    if !is_installed("kubectl") {
        let programs = testbed::control_plane_binaries().await?;
        println!("    export PATH=\"{}:$PATH\"    # kubectl", programs.display());
    }
    println!("    kubectl -n {namespace} get atlas -o wide");
    println!("    kubectl -n {namespace} describe pe {}\n", ENDPOINT.name);
    println!("Break something, and read again. Here the VPC endpoint is deleted in the simulated cloud:\n");
    println!("    curl -s -X DELETE {atlas}/control/vpc-endpoints/{VPC_ENDPOINT}");
    println!("    {}\n", reconcile(namespace, &ENDPOINT));
    println!("Here the endpoint of the serverless instance is deleted in Atlas; the operator believes it");
    println!("once the endpoint is two minutes old, and creates another:\n");
    println!("    curl -s -X DELETE {atlas}/control/endpoints/{id}");
    println!("    {}\n", reconcile(namespace, &SERVERLESS));
    println!("What Atlas holds:\n");
    println!(
        "    curl --user '{DEFAULT_PUBLIC_KEY}:{DEFAULT_PRIVATE_KEY}' --digest \\\n        \
         --header 'Accept: application/vnd.atlas.2023-01-01+json' \\\n        \
         '{atlas}/api/atlas/v2/groups/{DEFAULT_PROJECT}/privateEndpoint/AWS/endpointService?pretty=true'\n"
    );
    Ok(())
}

/// Returns the command that requests a reconcile.
fn reconcile(namespace: &str, of: &Resource) -> String {
    let Resource { short, name, .. } = of;
    format!("kubectl -n {namespace} annotate --overwrite {short} {name} {RECONCILE_REQUEST}=\"$(date)\"")
}

fn service_name(object: &Value) -> Result<String> {
    let name = object["status"]["endpointServiceName"].as_str().context("no endpoint service name")?;
    Ok(name.to_owned())
}

fn print_create_vpc_endpoint(service: &str) {
    println!("    aws ec2 create-vpc-endpoint --vpc-endpoint-type Interface --service-name {service} \\");
    println!("        --vpc-id <vpc> --subnet-ids <subnets> --security-group-ids <groups>\n");
}

/// Returns whether a shell would find the program.
fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
