//! Properties of the claim: every annotation parses to some value, and what we write parses to what it was.

use domain::serverless::ownership::{Claim, ClaimReading};

use crate::fixtures::{Draw, cluster, id, nonce, stranger, token};

/// Text that may be a claim, and a claim made of drawn parts.
pub fn check(bytes: &[u8]) {
    let mut draw = Draw::from(bytes);
    if draw.bool() {
        let written = written(&mut draw);
        let text = written.to_string();
        assert_eq!(text.parse::<Claim>(), Ok(written));
        every_text_is_read_as_one_thing(&text, &draw.text());
        // Truncated anywhere, it never parses as the same claim, only as an unreadable or a shorter one.
        let mut cut = usize::from(draw.byte()).min(text.len());
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        every_text_is_read_as_one_thing(&text[..cut], &text);
    } else {
        let other = draw.text();
        every_text_is_read_as_one_thing(&draw.rest(), &other);
    }
}

fn written(draw: &mut Draw<'_>) -> Claim {
    Claim {
        token: draw.one_of(&[token(), stranger()]),
        nonce: nonce(draw.byte()),
        uid: draw.one_of(&["u-1", "u-2", "5d7e7c1a-6e4f-4b0e-9a0a-6f6e2d9d2b10", "ü"]).to_owned(),
        cluster: draw.one_of(&[cluster(), "that-cluster".parse().unwrap(), "-".parse().unwrap()]),
        replaced: draw.maybe(|draw| id(u64::from(draw.byte()))),
    }
}

fn every_text_is_read_as_one_thing(text: &str, other: &str) {
    let read = |text: &str| ClaimReading::of(Some(text), &token(), "u-1", &cluster());
    let reading = read(text);
    let parsed = text.parse::<Claim>();
    match (&reading, &parsed) {
        (ClaimReading::Absent, _) => panic!("{text:?} is there"),
        (ClaimReading::Unreadable(nonce), Err(_)) => {
            // Its attempt can be announced again, under its own name only.
            let again = Claim {
                token: token(),
                nonce: nonce.clone(),
                uid: "u-1".to_owned(),
                cluster: cluster(),
                replaced: None,
            };
            assert_eq!(read(&again.to_string()), ClaimReading::Ours { nonce: nonce.clone(), replaced: None });
            if let ClaimReading::Unreadable(others) = read(other) {
                assert_eq!(others == *nonce, other == text, "{text:?} and {other:?}");
            }
        }
        (_, Ok(claim)) => {
            assert_eq!(claim.to_string(), text, "no two texts are the same claim");
            let (ours, here) = (claim.token == token(), claim.cluster == cluster());
            let same_life = claim.uid == "u-1";
            let as_expected = match &reading {
                ClaimReading::Foreign(foreign) => !here && foreign == claim,
                ClaimReading::Copied => here && !ours,
                ClaimReading::Ours { nonce, replaced } => {
                    here && ours && same_life && *nonce == claim.nonce && *replaced == claim.replaced
                }
                ClaimReading::EarlierLife { nonce, replaced } => {
                    here && ours && !same_life && *nonce == claim.nonce && *replaced == claim.replaced
                }
                ClaimReading::Absent | ClaimReading::Unreadable(_) => false,
            };
            assert!(as_expected, "{text:?} was read as {reading:?}");
        }
        (reading, Err(error)) => panic!("{text:?} was read as {reading:?}, but {error}"),
    }
    // While nothing is recorded, every claim that may announce an attempt of this name is open.
    assert_eq!(reading.open_nonce(None), reading.nonce());
    let recorded = id(1);
    assert!(reading.open_nonce(Some(&recorded)).is_none() || reading.nonce().is_some());
}
