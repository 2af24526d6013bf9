//! Parses the Authorization headers that a client sends. Knows their grammar (RFC 9110 §11), not their meaning.

use std::collections::HashMap;

/// Returns the parameters of a Digest header, names in lower case; `None` if it is another header or ill-formed.
pub(crate) fn digest_parameters(header: &str) -> Option<HashMap<String, String>> {
    let mut rest = credentials(header, "digest")?;
    let mut parameters = HashMap::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(parameters);
        }
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after.trim_start())?;
        // A repeated parameter is an attack or a defect, never a choice.
        if parameters.insert(name.trim().to_ascii_lowercase(), value).is_some() {
            return None;
        }
        rest = after;
    }
}

/// Returns user name and password of a Basic header.
pub(crate) fn basic(header: &str) -> Option<(String, String)> {
    let decoded = data_encoding::BASE64.decode(credentials(header, "basic")?.as_bytes()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Returns the token of a Bearer header.
pub(crate) fn bearer(header: &str) -> Option<&str> {
    credentials(header, "bearer")
}

fn credentials<'a>(header: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = header.trim().split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// Returns the value at the start of the text, quoted or not, and the rest.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(',').unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return Some((value.trim().to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(index + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_and_bare_values_with_commas_and_escapes_are_read() {
        let parameters = digest_parameters(r#"Digest a="x, \"y\"", B=z,c="""#).unwrap();
        assert_eq!(parameters["a"], r#"x, "y""#);
        assert_eq!(parameters["b"], "z");
        assert_eq!(parameters["c"], "");
    }

    #[test]
    fn what_is_ill_formed_or_stands_twice_is_refused() {
        for bad in [r#"Digest a="x"#, "Digest a", "Basic a=b", "Digest a=1, a=2"] {
            assert!(digest_parameters(bad).is_none(), "{bad}");
        }
    }
}
