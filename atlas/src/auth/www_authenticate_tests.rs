//! A corpus of headers as servers really write them, and of malformed ones.

use digest_auth::{AuthContext, HttpMethod};

use super::*;

/// The significant parts of a chosen challenge: realm, nonce, opaque, algorithm, whether qop is present, stale.
fn summary(lines: &[&str]) -> Result<String, ChallengeError> {
    let challenge = choose(lines.iter().copied())?;
    let prompt = challenge.prompt();
    Ok(format!(
        "{}|{}|{}|{}|{}|{}",
        prompt.realm,
        prompt.nonce,
        prompt.opaque.as_deref().unwrap_or("-"),
        prompt.algorithm,
        if prompt.qop.is_some() { "auth" } else { "-" },
        if prompt.stale { "stale" } else { "-" },
    ))
}

#[test]
#[rustfmt::skip]
fn headers_as_servers_write_them_are_read() {
    for (name, line, expected) in [
        ("the page of the API, with its op", r#"Digest realm="MMS Public API", domain="", nonce="{nonce}", algorithm=MD5, op="auth", stale=false"#, "MMS Public API|{nonce}|-|MD5|-|-"),
        ("Atlas as recorded", r#"Digest realm="MMS Public API", domain="", nonce="Xp/5dVcK+0tZq8Sg3hyFvL1m2n4b6J7Q", algorithm=MD5, qop="auth", stale=false"#, "MMS Public API|Xp/5dVcK+0tZq8Sg3hyFvL1m2n4b6J7Q|-|MD5|auth|-"),
        ("RFC 7616", r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf", opaque="FQhe""#, "http-auth@example.org|7ypf|FQhe|SHA-256|auth|-"),
        ("RFC 2069", r#"Digest realm="r", nonce="n", opaque="o""#, "r|n|o|MD5|-|-"),
        ("nginx module", r#"Digest algorithm="MD5", qop="auth", realm="r", nonce="5a3c""#, "r|5a3c|-|MD5|auth|-"),
        ("Apache", r#"Digest realm="r", nonce="9Fs=abc==", algorithm=MD5, domain="/a /b", qop="auth""#, "r|9Fs=abc==|-|MD5|auth|-"),
        ("stale, upper case", r#"Digest realm="r", nonce="n", qop="auth", stale=TRUE"#, "r|n|-|MD5|auth|stale"),
        ("stale, quoted", r#"Digest realm="r", nonce="n", qop="auth", stale="true""#, "r|n|-|MD5|auth|stale"),
        ("not stale", r#"Digest realm="r", nonce="n", qop="auth", stale="false""#, "r|n|-|MD5|auth|-"),
        ("lower-case scheme", r#"digest realm="r", nonce="n", qop="auth""#, "r|n|-|MD5|auth|-"),
        ("upper-case everything", r#"DIGEST REALM="r", NONCE="n", QOP="AUTH", ALGORITHM=md5"#, "r|n|-|MD5|auth|-"),
        ("spaces around the equals sign", r#"Digest realm = "r" , nonce= "n" ,qop ="auth""#, "r|n|-|MD5|auth|-"),
        ("no spaces", r#"Digest realm="r",nonce="n",qop="auth""#, "r|n|-|MD5|auth|-"),
        ("tabs", "Digest\trealm=\"r\",\tnonce=\"n\",\tqop=\"auth\"", "r|n|-|MD5|auth|-"),
        ("no commas", r#"Digest realm="r" nonce="n" qop="auth""#, "r|n|-|MD5|auth|-"),
        ("no commas, unquoted", "Digest realm=r nonce=n algorithm=MD5 qop=auth", "r|n|-|MD5|auth|-"),
        ("too many commas", r#"Digest ,,realm="r",, nonce="n",qop="auth",,"#, "r|n|-|MD5|auth|-"),
        ("unquoted", "Digest realm=r, nonce=n, qop=auth, opaque=o, algorithm=SHA-256", "r|n|o|SHA-256|auth|-"),
        ("unquoted with a space", "Digest realm=MMS Public API, nonce=n, qop=auth", "MMS Public API|n|-|MD5|auth|-"),
        ("unquoted options", "Digest realm=r, nonce=n, qop=auth", "r|n|-|MD5|auth|-"),
        ("escaped quotes", r#"Digest realm="a \"b\" \\c", nonce="n", qop="auth""#, r#"a "b" \c|n|-|MD5|auth|-"#),
        ("commas and equals signs in quotes", r#"Digest realm="a, nonce=\"x\", b=c", nonce="n", qop="auth""#, r#"a, nonce="x", b=c|n|-|MD5|auth|-"#),
        ("options without space", r#"Digest realm="r", nonce="n", qop="auth-int,auth""#, "r|n|-|MD5|auth|-"),
        ("options by space", r#"Digest realm="r", nonce="n", qop="auth auth-int""#, "r|n|-|MD5|auth|-"),
        ("unknown options beside", r#"Digest realm="r", nonce="n", qop="auth-conf, auth""#, "r|n|-|MD5|auth|-"),
        ("empty qop", r#"Digest realm="r", nonce="n", qop="""#, "r|n|-|MD5|-|-"),
        ("empty realm", r#"Digest realm="", nonce="n", qop="auth""#, "|n|-|MD5|auth|-"),
        ("empty opaque", r#"Digest realm="r", nonce="n", opaque="", qop="auth""#, "r|n||MD5|auth|-"),
        ("quoted algorithm", r#"Digest realm="r", nonce="n", algorithm="sha-256", qop="auth""#, "r|n|-|SHA-256|auth|-"),
        ("session", r#"Digest realm="r", nonce="n", algorithm=MD5-SESS, qop="auth""#, "r|n|-|MD5-sess|auth|-"),
        ("SHA-512-256", r#"Digest realm="r", nonce="n", algorithm=SHA-512-256, qop="auth""#, "r|n|-|SHA-512-256|auth|-"),
        ("charset and userhash", r#"Digest realm="r", nonce="n", qop="auth", charset=utf-8, userhash=true"#, "r|n|-|MD5|auth|-"),
        ("unknown parameters", r#"Digest realm="r", x-y="z", nonce="n", timestamp=1, qop="auth""#, "r|n|-|MD5|auth|-"),
        ("a parameter twice", r#"Digest realm="r", nonce="n", nonce="other", qop="auth""#, "r|n|-|MD5|auth|-"),
        ("an open quote at the end", r#"Digest realm="r", nonce="n", qop="auth"#, "r|n|-|MD5|auth|-"),
        ("not ASCII", r#"Digest realm="Büro", nonce="n", qop="auth""#, "Büro|n|-|MD5|auth|-"),
        ("an equals sign alone", r#"Digest realm="r", =, nonce="n""#, "r|n|-|MD5|-|-"),
        ("Basic before", r#"Basic realm="b", Digest realm="r", nonce="n", qop="auth""#, "r|n|-|MD5|auth|-"),
        ("Basic behind", r#"Digest realm="r", nonce="n", qop="auth", Basic realm="b""#, "r|n|-|MD5|auth|-"),
        ("Bearer without parameters", r#"Bearer, Digest realm="r", nonce="n", qop="auth""#, "r|n|-|MD5|auth|-"),
        ("Negotiate with data", r#"Negotiate YIIabc==, Digest realm="r", nonce="n", qop="auth""#, "r|n|-|MD5|auth|-"),
        ("Basic's realm says Digest", r#"Basic realm="Digest realm=x, nonce=y", Digest realm="r", nonce="n""#, "r|n|-|MD5|-|-"),
        ("the first known algorithm of several", r#"Digest realm="r", nonce="1", algorithm=SHA-999, Digest realm="r", nonce="2", algorithm=SHA-256, Digest realm="r", nonce="3""#, "r|2|-|SHA-256|-|-"),
    ] {
        assert_eq!(summary(&[line]), Ok(expected.to_owned()), "{name}");
    }
}

#[test]
fn challenges_in_several_lines_are_one_list() {
    let lines = [
        r#"Basic realm="b""#,
        r#"Bearer realm="x", error="invalid_token""#,
        r#"Digest realm="r", nonce="n", qop="auth""#,
    ];
    assert_eq!(summary(&lines), Ok("r|n|-|MD5|auth|-".to_owned()));
    let lines = [r#"Digest realm="r", nonce="1", algorithm=TOKEN"#, r#"Digest realm="r", nonce="2""#];
    assert_eq!(summary(&lines), Ok("r|2|-|MD5|-|-".to_owned()));
}

#[test]
#[rustfmt::skip]
fn what_cannot_be_responded_to_is_refused_with_its_reason() {
    for (line, expected) in [
        ("", ChallengeError::None),
        (" , ,", ChallengeError::None),
        (r#"Basic realm="b""#, ChallengeError::Schemes("Digest", vec!["Basic".to_owned()])),
        (r#"Bearer, Basic realm="Digest""#, ChallengeError::Schemes("Digest", vec!["Bearer".to_owned(), "Basic".to_owned()])),
        (r#"Digest realm="r", nonce="n", algorithm=SHA-999"#, ChallengeError::Algorithm("SHA-999".to_owned())),
        (r#"Digest realm="r", nonce="n", algorithm=-sess"#, ChallengeError::Algorithm("-sess".to_owned())),
        (r#"Digest realm="r", nonce="n", qop="auth-int""#, ChallengeError::Protection("auth-int".to_owned())),
        (r#"Digest realm="r", nonce="n", qop="authentic""#, ChallengeError::Protection("authentic".to_owned())),
        (r#"Digest realm="r", nonce="n", algorithm=MD5-sess"#, ChallengeError::Protection("none with a session algorithm".to_owned())),
        (r#"Digest realm="r", nonce="""#, ChallengeError::Incomplete("nonce")),
        (r#"Digest realm="r""#, ChallengeError::Incomplete("nonce")),
        (r#"Digest nonce="n""#, ChallengeError::Incomplete("realm")),
        ("Digest", ChallengeError::Incomplete("realm")),
        (r#"realm="r", nonce="n""#, ChallengeError::None),
        (r#"Digesting realm="r", nonce="n""#, ChallengeError::Schemes("Digest", vec!["Digesting".to_owned()])),
    ] {
        assert_eq!(summary(&[line]), Err(expected), "{line}");
    }
    let long = format!(r#"Digest realm="r", nonce="n", opaque="{}""#, "x".repeat(MAX_LINE));
    assert_eq!(summary(&[&long]), Err(ChallengeError::None));
}

#[test]
fn no_text_makes_it_panic_or_the_response_fail() {
    // A small generator with a fixed seed, so that a failure can be repeated.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let pieces = [
        "Digest",
        "digest ",
        "Basic ",
        "realm",
        "nonce",
        "qop",
        "algorithm",
        "stale",
        "opaque",
        "=",
        "\"",
        "\\",
        ",",
        " ",
        "\t",
        "auth",
        "MD5",
        "SHA-256-sess",
        "é",
        "漢",
        "\u{feff}",
        "x",
        "==",
        "\"a\"",
        "realm=\"r\"",
        "nonce=\"n\"",
        "true",
    ];
    let key = crate::Credentials::key("user", "private").unwrap();
    let mut parsed = 0;
    for _ in 0..200_000 {
        let words = random(24);
        let line: String = (0..words).map(|_| pieces[random(pieces.len())]).collect();
        if let Ok(mut challenge) = choose([line.as_str()]) {
            assert!(challenge.respond(&key, "GET", "/a?b=c").is_some(), "{line:?}");
            parsed += 1;
        }
    }
    assert!(parsed > 100, "only {parsed} lines held a challenge: the test tests nothing");
    for _ in 0..50_000 {
        let length = random(200);
        let bytes: Vec<u8> = (0..length).map(|_| u8::try_from(random(256)).unwrap()).collect();
        let _ = choose([String::from_utf8_lossy(&bytes).as_ref()]);
    }
}

#[test]
fn the_library_does_not_need_its_parser_to_respond() {
    // The library's parser of a plain challenge gives the same parameters.
    let line = r#"Digest realm="r", nonce="n", qop="auth", algorithm=MD5, opaque="o""#;
    let mut ours = choose([line]).unwrap().prompt().clone();
    let mut theirs = digest_auth::parse(line).unwrap();
    let mut context = AuthContext::new_with_method("u", "p", "/", None::<&[u8]>, HttpMethod::GET);
    context.set_custom_cnonce("c");
    assert_eq!(ours.respond(&context).unwrap(), theirs.respond(&context).unwrap());
}

#[test]
fn a_line_of_eight_kibibytes_is_read_and_a_longer_one_is_not() {
    let line = |length: usize| {
        let start = r#"Digest realm="r", nonce="n", qop="auth", opaque=""#;
        format!("{start}{}\"", "o".repeat(length - start.len() - 1))
    };
    assert!(choose([line(8192).as_str()]).is_ok());
    assert_eq!(choose([line(8193).as_str()]), Err(ChallengeError::None));
}
