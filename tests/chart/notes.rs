//! The notes that helm prints after an installation: they must never tell a user to touch an object that the release
//! does not manage. (Helm 3 prints them only where it reaches a cluster, so `make release-check` leaves this out.)

use crate::helm::{chart, helm, set};

/// The notes of a release with these values.
async fn notes(values: &[&str]) -> String {
    let chart = chart().display().to_string();
    let arguments = ["install", "rel", &chart, "--namespace", "home", "--dry-run=client"];
    let output = helm(&[&arguments[..], &set(values)].concat()).await;
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, notes) = text.split_once("NOTES:").unwrap_or_else(|| panic!("{output:?}"));
    notes.to_owned()
}

/// The commands that delete objects.
fn deletions(notes: &str) -> Vec<&str> {
    notes.lines().map(str::trim).filter(|line| line.starts_with("kubectl delete")).collect()
}

#[tokio::test]
async fn the_parting_advice_deletes_only_what_the_release_watches() {
    let namespaced = ["rbac.scope=namespaced", "clusterId=c"];
    for (values, expected) in [
        (&[][..], &["kubectl delete pe,pesvc,spe --all --all-namespaces"][..]),
        (&["watchSelector=team=a"], &["kubectl delete pe,pesvc,spe --selector 'team=a' --all-namespaces"]),
        (&["watchNamespaces=[\"t1\"]"], &["kubectl delete pe,pesvc,spe --all --namespace t1"]),
        (&namespaced, &["kubectl delete pe,pesvc,spe --all --namespace home"]),
        (
            &["watchNamespaces=[\"t1\",\"t2\"]", "watchSelector=team in (a)"],
            &[
                "kubectl delete pe,pesvc,spe --selector 'team in (a)' --namespace t1",
                "kubectl delete pe,pesvc,spe --selector 'team in (a)' --namespace t2",
            ],
        ),
    ] {
        assert_eq!(deletions(&notes(values).await), expected, "{values:?}");
    }
    let notes = notes(&["watchNamespaces=[\"t1\"]"]).await;
    assert!(!notes.contains(" -A") && !notes.contains("--all-namespaces"), "{notes}");
}

#[tokio::test]
async fn an_unpublished_image_is_mentioned() {
    assert!(notes(&[]).await.contains("WARNING: no registry serves localhost/spe-operator:"));
    assert!(!notes(&["image.repository=registry.example/spe"]).await.contains("WARNING"));
}

#[tokio::test]
async fn a_release_without_the_crd_mentions_it() {
    assert!(notes(&["crds.enabled=false"]).await.contains("does not install the CustomResourceDefinition"));
    assert!(!notes(&[]).await.contains("does not install"));
}
