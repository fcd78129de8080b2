//! Reads `allowed.md`: the switches that no model notices, each with the proof that the code is
//! still right.

/// With more than this many, the models would show too little.
const MOST: usize = 10;
/// A proof has to have some substance.
const LEAST_WORDS: usize = 20;

/// Returns the names of the listed switches. Each is a heading with its proof below it.
pub fn parse(text: &str, switches: &[String]) -> Result<Vec<String>, String> {
    let mut names: Vec<(String, usize)> = Vec::new();
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            names.push((heading.trim().trim_matches('`').to_owned(), 0));
        } else if let Some((_, words)) = names.last_mut() {
            *words += line.split_whitespace().count();
        }
    }
    if names.len() > MOST {
        return Err(format!(
            "ci/orderings/allowed.md lists {} switches, and {MOST} are allowed: write models that kill some",
            names.len()
        ));
    }
    let mut seen = Vec::new();
    for (name, words) in names {
        if words < LEAST_WORDS {
            return Err(format!(
                "ci/orderings/allowed.md: `{name}` has no proof, or one with fewer than {LEAST_WORDS} words"
            ));
        }
        if !switches.contains(&name) {
            return Err(format!(
                "ci/orderings/allowed.md: there is no switch `{name}`: give the entry the current name, or delete it"
            ));
        }
        if seen.contains(&name) {
            return Err(format!("ci/orderings/allowed.md: `{name}` is listed twice"));
        }
        seen.push(name);
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> String {
        format!("## `{name}`\n\n{}\n\n", "word ".repeat(LEAST_WORDS))
    }

    #[test]
    fn a_list_names_switches_with_proofs() {
        let switches = [String::from("a"), String::from("b")];
        let text = format!("# Title\n\nWords.\n\n{}{}", entry("a"), entry("b"));
        assert_eq!(parse(&text, &switches), Ok(switches.to_vec()));
    }

    #[test]
    fn a_stale_entry_fails() {
        let error = parse(&entry("gone"), &[String::from("a")]).unwrap_err();
        assert!(error.contains("no switch `gone`"), "{error}");
    }

    #[test]
    fn an_entry_without_a_proof_fails() {
        assert!(parse("## a\n\nWell.\n", &[String::from("a")]).is_err());
    }

    #[test]
    fn there_are_ten_at_most() {
        let switches: Vec<_> = (0..=MOST).map(|n| n.to_string()).collect();
        let text: String = switches.iter().map(|name| entry(name)).collect();
        assert!(parse(&text, &switches).is_err());
        assert!(parse(&text.replacen("## `0`", "", 1), &switches).is_ok());
    }
}
