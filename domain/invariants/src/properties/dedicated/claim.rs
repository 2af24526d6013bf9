//! Properties of the claim of the dedicated kinds: what is written is read as it was, and every annotation has one reading. What cannot be
//! read announces an attempt that may be anything.

use domain::claim::{ClaimText, Nonce};
use domain::dedicated::claim::{ClaimReading, ClaimTarget};
use domain::dedicated::endpoint::CloudEndpointId;
use domain::dedicated::life::Life;

use crate::dedicated::fixtures::service_id;
use crate::fixtures::{Draw, cluster, nonce, stranger, token};

/// A claim made of drawn parts, whole, cut and changed, or any text.
pub fn check(bytes: &[u8]) {
    let mut draw = Draw::from(bytes);
    if draw.bool() {
        let target = target(&mut draw);
        a_target_survives_the_round_trip(&target);
        let written = written(&mut draw, &target);
        let text = written.to_string();
        assert_eq!(text.parse::<ClaimText>(), Ok(written));
        assert_eq!(text.matches('/').count(), 5, "six parts, whatever the target holds: {text:?}");
        every_text_is_read_as_one_thing(&text, &draw.text());
        let mut cut = usize::from(draw.byte()).min(text.len());
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        every_text_is_read_as_one_thing(&text[..cut], &text);
    } else {
        let other = draw.text();
        let text = draw.rest();
        if let Ok(target) = text.parse::<ClaimTarget>() {
            a_target_survives_the_round_trip(&target);
        }
        every_text_is_read_as_one_thing(&text, &other);
    }
}

fn written(draw: &mut Draw<'_>, target: &ClaimTarget) -> ClaimText {
    ClaimText {
        token: draw.one_of(&[token(), token(), token(), stranger()]),
        nonce: nonce(draw.byte()),
        uid: draw.one_of(&["u-1", "5d7e7c1a-6e4f-4b0e-9a0a-6f6e2d9d2b10", "ü"]).to_owned(),
        cluster: draw.one_of(&[cluster(), cluster(), "that-cluster".parse().unwrap(), "-".parse().unwrap()]),
        target: match draw.byte() % 8 {
            7 => draw.one_of(&["", "?", "+x", "-", "%2F"]).to_owned(),
            _ => target.to_string(),
        },
    }
}

fn target(draw: &mut Draw<'_>) -> ClaimTarget {
    let service = service_id(u32::from(draw.byte()));
    match draw.byte() % 4 {
        0 => ClaimTarget::Create(None),
        1 => ClaimTarget::Delete(Life { service, endpoint: None }),
        2 => ClaimTarget::Create(Some(Life { service, endpoint: Some(endpoint(draw)) })),
        _ => ClaimTarget::Delete(Life { service, endpoint: Some(endpoint(draw)) }),
    }
}

fn endpoint(draw: &mut Draw<'_>) -> CloudEndpointId {
    const PATH: &str =
        "/subscriptions/A1/resourceGroups/Ä(b)/providers/Microsoft.Network/privateEndpoints/Orders";
    let drawn = draw.text();
    drawn.parse().unwrap_or_else(|_| draw.one_of(&["vpce-0a1b", PATH, "group.1_2", "a%2Fb"]).parse().unwrap())
}

fn a_target_survives_the_round_trip(target: &ClaimTarget) {
    let text = target.to_string();
    let read = text.parse::<ClaimTarget>();
    assert_eq!(read.as_ref(), Ok(target), "{text:?}");
    // Two spellings of a path are equal: each survives.
    let spelled =
        |target: &ClaimTarget| target.life().and_then(|life| life.endpoint.clone()).map(String::from);
    assert_eq!(read.ok().as_ref().and_then(spelled), spelled(target), "{text:?}");
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"+-._:%".contains(&b);
    assert!(text.bytes().all(is_plain), "every other byte is encoded: {text:?}");
    assert_eq!(text.starts_with('-'), matches!(target, ClaimTarget::Delete(_)), "{text:?}");
}

fn every_text_is_read_as_one_thing(text: &str, other: &str) {
    let read = |text: &str| ClaimReading::of(Some(text), &token(), &cluster());
    let reading = read(text);
    let parsed = text.parse::<ClaimText>();
    let is_ours = |claim: &ClaimText| claim.token == token() && claim.cluster == cluster();
    match (&reading, &parsed) {
        (ClaimReading::Absent, Ok(claim)) => {
            assert!(!is_ours(claim), "what is ours announces an attempt: {text:?}");
            assert_eq!(reading.nonce(), None);
        }
        (ClaimReading::Ours { nonce, target }, Ok(claim)) => {
            assert!(is_ours(claim) && *nonce == claim.nonce, "{text:?} was read as {reading:?}");
            assert_eq!(claim.target.parse::<ClaimTarget>().as_ref(), Ok(target));
            assert_eq!((reading.nonce(), reading.target()), (Some(nonce), Some(target)));
        }
        (ClaimReading::Unreadable(nonce), Ok(claim)) => {
            assert!(is_ours(claim) && *nonce == claim.nonce, "its attempt has the claim's nonce: {text:?}");
            assert!(claim.target.parse::<ClaimTarget>().is_err(), "{text:?}");
            it_is_open(&reading, nonce);
        }
        (ClaimReading::Unreadable(nonce), Err(_)) => {
            it_is_open(&reading, nonce);
            // The text names the attempt, so another text names another one.
            if let (ClaimReading::Unreadable(others), Err(_)) = (read(other), other.parse::<ClaimText>()) {
                assert_eq!(others == *nonce, other == text, "{text:?} and {other:?}");
            }
            // It can stand in a claim.
            let again = ClaimText {
                token: token(),
                nonce: nonce.clone(),
                uid: "u-1".to_owned(),
                cluster: cluster(),
                target: "+".to_owned(),
            };
            assert_eq!(read(&again.to_string()).nonce(), Some(nonce));
        }
        (reading, parsed) => panic!("{text:?} was read as {reading:?}, and parsed as {parsed:?}"),
    }
    if let Ok(claim) = &parsed {
        assert_eq!(claim.to_string(), text, "no two texts are the same claim");
    }
    assert_eq!(ClaimReading::of(None, &token(), &cluster()), ClaimReading::Absent);
}

/// What cannot be read announces an attempt, and nobody knows of what.
fn it_is_open(reading: &ClaimReading, nonce: &Nonce) {
    assert_eq!((reading.nonce(), reading.target()), (Some(nonce), None));
}
